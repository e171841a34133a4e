"""The client key Kc (T1): recomputed, never stored.

    Kc = HKDF(generation key, salt = device id, info = label || client key seed)

The seed comes of the stored verifier as it was when the password was set; the generation key is wrapped by the root
key, which comes from the environment. So Kc needs both, as was asked, and a thief of the database has neither.
"""

import hashlib
from collections.abc import Callable

from watchword.core.ids import DeviceId
from watchword.core.secret import Secret
from watchword.crypto.kdf import Label, derive


def seed_of_verifier(verifier: bytes) -> bytes:
    """The client key seed of a password that has just been set, 32 bytes."""
    return hashlib.sha256(b"watchword/v1/client-key-seed\0" + verifier).digest()


class ClientKeys:
    def __init__(self, generation_key: Callable[[int], Secret]) -> None:
        self._generation_key = generation_key

    def client_key(self, device_id: DeviceId, *, generation_version: int, seed: bytes) -> Secret:
        """Kc of this device, 32 bytes."""
        key = self._generation_key(generation_version)
        return derive(key, Label.CLIENT_KEY, salt=device_id.value, context=seed)
