"""The client: what a person's device does. Exchanges are written once as generators and driven by a transport.

Invariants: the password never leaves this process; secrets are on disk only inside the sealed vault; a server is
talked to only under the root certificate that was pinned for it; what an answer grants is saved before it is used.
"""

from watchword.client.client import Client

__all__ = ["Client"]
