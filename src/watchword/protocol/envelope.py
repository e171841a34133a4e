"""Sealed envelopes to the server's public key, and the sealed answers to them (docs/protocol/envelope.md).

    envelope = base64url(header) "." base64url(enc || ciphertext)
    info     = "watchword/v1/envelope" || 0x00 || ASCII of base64url(header)

The header is authenticated as HPKE `info`, byte for byte as it was sent: nothing is re-encoded before it is checked.
An answer is a JWE under a key derived from the `reply_key` inside the envelope; its payload names the envelope's hash.
"""

import enum
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec

from watchword.core.encoding import decode_b64u, decode_json, encode_b64u, encode_json
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey, SealingPublicKey, Suite
from watchword.crypto.jwe import decode_jwe, encode_jwe
from watchword.crypto.kdf import Label, derive
from watchword.errors import MalformedError, UnsealError
from watchword.protocol.wire import MAX_PAYLOAD, M, Message, convert_message

VERSION: Final = 1
REPLY_KEY_SIZE: Final = 32
_INFO_LABEL: Final = b"watchword/v1/envelope\0"
_REPLY_TYPE: Final = "watchword-reply+jwe"
_MAX_HEADER: Final = 1024
_MAX_TEXT: Final = 65536
_MAX_REPLY: Final = 131072  # characters; the largest answer holds a key document
_KID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_SUITES: Final = frozenset(suite.value for suite in Suite)
_MEMBERS: Final = frozenset({"v", "suite", "kid", "purpose", "iss"})
_MEMBERS_WITH_SHORT_KEY: Final = _MEMBERS | {"sk"}
_ENCODE: Final = msgspec.json.Encoder().encode


class Purpose(enum.StrEnum):
    """What an envelope is for. One sealed for one purpose opens for no other."""

    BEGIN = "begin"
    LOGIN = "login"
    REGISTER = "register"
    ENROL = "enrol"
    PASSWORD = "password"  # noqa: S105  # the name of a purpose


NEEDS_SHORT_KEY: Final = frozenset({Purpose.LOGIN, Purpose.REGISTER, Purpose.PASSWORD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A sealing key of the server, as the key document publishes it."""

    kid: str
    key: SealingPublicKey
    issuer: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a client sends: the text, and its hash, which the answer must name."""

    text: str

    @property
    def digest(self) -> bytes:
        return envelope_digest(self.text)


def envelope_digest(text: str) -> bytes:
    """SHA-256 of the envelope's text, 32 bytes; what device signatures cover and answers repeat."""
    return hashlib.sha256(text.encode("ascii", "replace")).digest()


def seal_envelope(
    payload: bytes, to: Recipient, purpose: Purpose, *, short_key: str | None = None
) -> Envelope:
    """Seal `payload` to the server. `short_key` is demanded by, and only by, the purposes that need one."""
    if (short_key is not None) != (purpose in NEEDS_SHORT_KEY):
        raise ValueError("this purpose and a short key do not go together")
    header = {
        "v": VERSION,
        "suite": to.key.suite.value,
        "kid": to.kid,
        "purpose": purpose.value,
        "iss": to.issuer,
    }
    if short_key is not None:
        header["sk"] = short_key
    first = encode_b64u(encode_json(header))
    return Envelope(f"{first}.{encode_b64u(to.key.seal(payload, info=_INFO_LABEL + first.encode()))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEnvelope:
    """A received envelope whose header parses. Nothing in it is authenticated before `open` returns."""

    suite: Suite
    kid: str
    purpose: Purpose
    issuer: str
    unverified_short_key: str | None
    digest: bytes
    _info: bytes
    _sealed: bytes

    @classmethod
    def parse(cls, text: str, *, purpose: Purpose, issuer: str) -> Self:
        """Read the header and hold it against what this endpoint expects. Raises `MalformedError`, `UnsealError`."""
        first, dot, second = text.partition(".")
        if not dot or len(first) > _MAX_HEADER or len(text) > _MAX_TEXT:
            raise MalformedError("not an envelope")
        header = decode_json(decode_b64u(first), max_size=_MAX_HEADER)
        sealed = decode_b64u(second)
        short_key = _check_header(header, purpose)
        if header["purpose"] != purpose.value or header["iss"] != issuer:
            raise UnsealError
        return cls(
            suite=Suite(header["suite"]),
            kid=header["kid"],
            purpose=purpose,
            issuer=issuer,
            unverified_short_key=short_key,
            digest=envelope_digest(text),
            _info=_INFO_LABEL + first.encode(),
            _sealed=sealed,
        )

    def open(self, key: SealingPrivateKey) -> bytes:
        """The payload. Raises `UnsealError` for a wrong key, suite, or a changed bit anywhere."""
        if key.suite is not self.suite:
            raise UnsealError
        payload = key.open(self._sealed, info=self._info)
        if len(payload) > MAX_PAYLOAD:
            raise UnsealError
        return payload


def _check_header(header: Any, purpose: Purpose) -> str | None:
    """Exact members, exact types; the short key where the purpose needs one. Returns the short key."""
    expected = _MEMBERS_WITH_SHORT_KEY if purpose in NEEDS_SHORT_KEY else _MEMBERS
    if not isinstance(header, dict) or header.keys() != expected or header["v"] is not VERSION:
        raise MalformedError("not an envelope header of version 1")
    if not all(type(value) is str for name, value in header.items() if name != "v"):
        raise MalformedError("not an envelope header of version 1")
    if not _KID.match(header["kid"]) or header["suite"] not in _SUITES:
        raise MalformedError("unknown suite or key id form")
    short_key = header.get("sk")
    return short_key if isinstance(short_key, str) else None


def seal_reply(
    message: Message, reply_key: Secret, *, purpose: Purpose, request: bytes, entropy: Entropy
) -> str:
    """Seal an answer to the envelope whose digest is `request`."""
    payload = _ENCODE({"req": encode_b64u(request), "answer": message})
    key = derive(reply_key, Label.REPLY, context=purpose.value.encode())
    return encode_jwe(payload, key, kid=purpose.value, typ=_REPLY_TYPE, entropy=entropy)


def open_reply(text: str, reply_key: Secret, kind: type[M], *, purpose: Purpose, request: bytes) -> M:
    """The answer. Raises `UnsealError` if it answers anything but `request`, `MalformedError` if it is no `kind`."""
    key = derive(reply_key, Label.REPLY, context=purpose.value.encode())
    members = decode_json(decode_jwe(text, key, kid=purpose.value, typ=_REPLY_TYPE, max_size=_MAX_REPLY))
    if not isinstance(members, dict) or members.keys() != {"req", "answer"}:
        raise UnsealError
    answered = members["req"]
    if not isinstance(answered, str) or not hmac.compare_digest(
        answered.encode(), encode_b64u(request).encode()
    ):
        raise UnsealError
    return convert_message(members["answer"], kind)
