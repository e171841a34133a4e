"""The server's keys: data keys, sealing and signing keys, its certificate authority, and what it publishes of them.

Invariants: a private key is stored sealed or not at all; every change of any key is one unit of work with its audit
events, guarded by the version of the whole, so two nodes never both change; nothing that a key did is left without
that key before it ends (tokens verify for their whole life, envelopes open for the whole grace).
"""

from watchword.server.keys.model import KeyState, KeyStatus, Lane
from watchword.server.keys.root_file import RootKeys
from watchword.server.keys.service import KeyService

__all__ = ["KeyService", "KeyState", "KeyStatus", "Lane", "RootKeys"]
