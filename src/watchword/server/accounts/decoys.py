"""What `begin` says of a name that nobody has: a salt that is always the same for that name, like a real one.

The salt is a MAC of the name under a data key that never rotates online, so the answer stays the same for as long as
the server lives. Parameters are those that real accounts have: today all have one generation, so the decoy has it too.
"""

from typing import Final

from watchword.core.secret import Secret
from watchword.crypto.kdf import Label, derive, mac
from watchword.crypto.passwords import SALT_SIZE, StretchParams

CURRENT_PARAMS: Final = StretchParams()


class DecoySalts:
    def __init__(self, key: Secret) -> None:
        self._key = derive(key, Label.DECOY_SALT)

    def of(self, identifier_key: str) -> tuple[bytes, StretchParams]:
        """Salt and parameters for a name without an account. Call it for every name, to spend the same time."""
        return mac(self._key, identifier_key.encode())[:SALT_SIZE], CURRENT_PARAMS
