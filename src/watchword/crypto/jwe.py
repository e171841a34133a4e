"""JWE compact (RFC 7516) in exactly one form: `alg` dir, `enc` A256GCM.

The header is {"alg","enc","kid","typ"} in this order. Any JOSE library opens what we write; we open only what
we could have written, byte for byte, so that nothing in a header is ever a choice of the sender's (no `zip`,
no `crit`, no other algorithm, no second spelling).

Nonces are 96 random bits: at most 2^32 encryptions under one key (NIST SP 800-38D, section 8.3). Our keys are
derived for one purpose and direction, mostly for one message.
"""

import functools
import re
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from watchword.core.encoding import decode_b64u, decode_json, encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.errors import MalformedError, UnsealError

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 12
TAG_SIZE: Final = 16
_PARTS: Final = 5
_MAX_HEADER: Final = 256
"""Characters. Ours have at most 64 for `kid`, 64 for `typ` and 44 besides: 230 in base64url."""
_KID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}\Z")
_TYP: Final = re.compile(r"[A-Za-z0-9_.:+/-]{1,64}\Z")


def check_kid(kid: str) -> None:
    """Raise `MalformedError` unless `kid` is 1 to 64 of `A-Z a-z 0-9 _ . : -`."""
    if not _KID.match(kid):
        raise MalformedError("not a key id")


@functools.lru_cache(maxsize=256)
def _header(kid: str, typ: str) -> str:
    """The one encoded header for this `kid` and `typ`; neither alphabet needs an escape in JSON."""
    check_kid(kid)
    if not _TYP.match(typ):
        raise MalformedError("not a type")
    return encode_b64u(f'{{"alg":"dir","enc":"A256GCM","kid":"{kid}","typ":"{typ}"}}'.encode())


def _cipher(key: Secret) -> AESGCM:
    if len(key) != KEY_SIZE:
        raise MalformedError("an A256GCM key has 32 bytes")
    return AESGCM(key.reveal())


def encode_jwe(plaintext: bytes, key: Secret, *, kid: str, typ: str, entropy: Entropy) -> str:
    """Seal `plaintext` under the 32-byte `key`. `MalformedError` if key, kid or typ cannot be."""
    return encode_jwe_with_nonce(plaintext, key, kid=kid, typ=typ, nonce=entropy.bytes(NONCE_SIZE))


def encode_jwe_with_nonce(plaintext: bytes, key: Secret, *, kid: str, typ: str, nonce: bytes) -> str:
    """`encode_jwe` with a given nonce of 12 bytes, for vectors; one used twice under one key reveals both."""
    header = _header(kid, typ)
    sealed = _cipher(key).encrypt(nonce, plaintext, header.encode())
    return ".".join(
        (header, "", encode_b64u(nonce), encode_b64u(sealed[:-TAG_SIZE]), encode_b64u(sealed[-TAG_SIZE:]))
    )


def decode_jwe(text: str, key: Secret, *, kid: str, typ: str, max_size: int) -> bytes:
    """Give the plaintext of a JWE that `encode_jwe` made with the same key, `kid` and `typ`.

    `max_size` bounds the whole text, in characters, before anything is looked at.

    Raises:
        UnsealError: for whatever reason; it carries no text.
    """
    if len(text) > max_size:
        raise UnsealError
    parts = text.split(".", _PARTS)
    if len(parts) != _PARTS or parts[0] != _header(kid, typ) or parts[1]:
        raise UnsealError
    try:
        nonce, ciphertext, tag = (decode_b64u(part) for part in parts[2:])
        if len(nonce) != NONCE_SIZE or len(tag) != TAG_SIZE:
            raise UnsealError
        return _cipher(key).decrypt(nonce, ciphertext + tag, parts[0].encode())
    except (MalformedError, InvalidTag):
        raise UnsealError from None


def read_jwe_kid(text: str, *, typ: str) -> str:
    """Give the key id that the header of a JWE of ours names; nothing else of it is verified.

    Raises:
        MalformedError: the header is not exactly one that we would write for this `typ`.
    """
    header = text[: _MAX_HEADER + 1].partition(".")[0]
    if len(header) > _MAX_HEADER:
        raise MalformedError("not a JWE of ours")
    members = decode_json(decode_b64u(header))
    kid = members.get("kid") if isinstance(members, dict) else None
    if not isinstance(kid, str) or _header(kid, typ) != header:
        raise MalformedError("not a JWE of ours")
    return kid
