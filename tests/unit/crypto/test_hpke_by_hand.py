"""A sender written out here, who can do what no honest one does: seal correctly to a point written wrongly.

Without our own check such a seal opens, since RFC 7748 has receivers ignore the highest bit and reduce modulo p: one
sender could then make two seals of what is one encapsulation.
"""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.errors import UnsealError
from watchword.testing import SeededEntropy

INFO = b"info"
XWING_LABEL = bytes.fromhex("5c2e2f2f5e5c")  # a drawing of an X-wing, in the draft
KEM_IDS = {Suite.HYBRID: b"\x64\x7a", Suite.X25519: b"\x00\x20"}
KEYS = {suite: SealingPrivateKey.generate(suite, SeededEntropy(suite)) for suite in Suite}


def extract(suite_id: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite_id + label + ikm, "sha256")


def expand(suite_id: bytes, secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    info = size.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + context
    return hmac.digest(secret, info + b"\x01", "sha256")[:size]


def seal_to(suite: Suite, public: bytes, point: bytes, dh: bytes, plaintext: bytes) -> bytes:
    """Seal as RFC 9180 and X-Wing say, with `point` as the encapsulated point and `dh` as what it leads to."""
    if suite is Suite.X25519:
        enc, kem = point, b"KEM" + KEM_IDS[suite]
        shared = expand(kem, extract(kem, b"", b"eae_prk", dh), b"shared_secret", enc + public, 32)
    else:
        mlkem_secret, mlkem_ciphertext = MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
        enc = mlkem_ciphertext + point
        shared = hashlib.sha3_256(mlkem_secret + dh + point + public[1184:] + XWING_LABEL).digest()
    suite_id = b"HPKE" + KEM_IDS[suite] + b"\x00\x01\x00\x02"
    context = b"\0" + extract(suite_id, b"", b"psk_id_hash", b"") + extract(suite_id, b"", b"info_hash", INFO)
    secret = extract(suite_id, shared, b"secret", b"")
    key, nonce = (
        expand(suite_id, secret, *rest) for rest in ((b"key", context, 32), (b"base_nonce", context, 12))
    )
    return enc + AESGCM(key).encrypt(nonce, plaintext, None)


def honest(suite: Suite) -> tuple[bytes, bytes]:
    """A point and the secret that it leads to with the receiver's key."""
    ephemeral = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = X25519PublicKey.from_public_bytes(KEYS[suite].public.to_bytes()[-32:])
    return ephemeral.public_key().public_bytes_raw(), ephemeral.exchange(public)


@pytest.mark.parametrize("suite", list(Suite))
def test_the_seal_made_by_hand_opens(suite):
    key = KEYS[suite]
    assert key.open(seal_to(suite, key.public.to_bytes(), *honest(suite), b"text"), info=INFO) == b"text"


@pytest.mark.parametrize("suite", list(Suite))
def test_the_same_point_written_with_the_high_bit_is_refused_fault_C18(suite):
    key = KEYS[suite]
    point, dh = honest(suite)
    spelled = point[:31] + bytes((point[31] | 0x80,))
    sealed = seal_to(suite, key.public.to_bytes(), spelled, dh, b"text")
    with pytest.raises(UnsealError):
        key.open(sealed, info=INFO)


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31), ((1 << 255) - 19).to_bytes(32, "little")])
@pytest.mark.parametrize("suite", list(Suite))
def test_a_point_that_leads_to_zero_whatever_the_key_is_refused_fault_C18(suite, point):
    """Anybody can compute this seal for an X25519 key, knowing nothing but the public half."""
    key = KEYS[suite]
    sealed = seal_to(suite, key.public.to_bytes(), point, bytes(32), b"text")
    with pytest.raises(UnsealError):
        key.open(sealed, info=INFO)
