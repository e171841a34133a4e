"""What a device signs to prove itself over an envelope: Ed25519 over a label and the envelope's hash.

The label keeps the signature from being taken for one over anything else; the envelope binds purpose, server, short
key and payload, so the proof is as fresh and as single-use as the short key inside.
"""

from typing import Final

from watchword.core.encoding import decode_b64u_sized, encode_b64u
from watchword.crypto.device_keys import DeviceSigningKey, DeviceVerifyingKey

SIGNATURE_SIZE: Final = 64
_LABEL: Final = b"watchword/v1/device-proof\0"


def prove_device(key: DeviceSigningKey, digest: bytes) -> str:
    """Sign the 32-byte envelope digest; base64url."""
    return encode_b64u(key.sign(_LABEL + digest))


def check_device_proof(key: DeviceVerifyingKey, digest: bytes, signature: str) -> None:
    """Raise `SignatureError` or `MalformedError` unless `signature` is the device's over `digest`."""
    key.verify(decode_b64u_sized(signature, SIGNATURE_SIZE), _LABEL + digest)
