"""Signed checkpoints of a chain's head, one JWS per line, in a file beside the database.

A MAC chain cannot show that its end was cut off; a head that was signed and kept elsewhere can. The file
itself is chained (number, hash of the line before), so that a line missing inside it shows too.
`docs/protocol/audit.md`, section 5, is normative for the format.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from watchword.core.clock import Instant
from watchword.core.encoding import (
    decode_b64u,
    decode_b64u_sized,
    decode_json,
    encode_b64u,
    encode_canonical_json,
)
from watchword.errors import KeyUnknownError, MalformedError, SignatureError, TooLargeError
from watchword.server.audit.entry import MAC_SIZE, ChainHead

CHECKPOINT_TYPE: Final = "watchword-audit-checkpoint+jwt"
MAX_LINE: Final = 4096
"""Bytes. A line is about 500; a node's name may be 255."""
FIRST: Final = bytes(32)
"""What stands for the hash of the line before the first."""
_MEMBERS: Final = {"v": int, "n": int, "node": str, "seq": int, "mac": str, "at": int, "previous": str}
_PARTS: Final = 3


class CheckpointSigner(Protocol):
    """ES256, as `crypto.signing.TokenSigningKey`."""

    @property
    def kid(self) -> str: ...
    def sign(self, message: bytes, /) -> bytes: ...


class CheckpointVerifier(Protocol):
    """ES256, as `crypto.signing.TokenVerifyingKey`."""

    def verify(self, signature: bytes, message: bytes, /) -> None: ...


VerifyingKeys = Callable[[str], CheckpointVerifier]
"""The public key of a `kid`, retired ones too; raises `KeyUnknownError`. Its source must be authentic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The head of `node` at `at`; the `number`-th one written; `previous` is the hash of the line before."""

    number: int
    node: str
    head: ChainHead
    at: Instant
    previous: bytes


def line_hash(line: bytes) -> bytes:
    """By which the next line names this one (given without its newline)."""
    return hashlib.sha256(line).digest()


def encode_checkpoint(checkpoint: Checkpoint, signer: CheckpointSigner) -> bytes:
    """The line, with its newline."""
    header = {"alg": "ES256", "kid": signer.kid, "typ": CHECKPOINT_TYPE}
    payload = {
        "v": 1,
        "n": checkpoint.number,
        "node": checkpoint.node,
        "seq": checkpoint.head.seq,
        "mac": encode_b64u(checkpoint.head.mac),
        "at": checkpoint.at,
        "previous": encode_b64u(checkpoint.previous),
    }
    signed = f"{_b64u_json(header)}.{_b64u_json(payload)}".encode()
    return signed + b"." + encode_b64u(signer.sign(signed)).encode() + b"\n"


def read_unverified(line: bytes) -> Checkpoint:
    """What the line (without newline) says, whoever wrote it. Raises `MalformedError`."""
    _header, payload, _signature = _split(line)
    return _parse_payload(_decode_part(payload))


def verify_checkpoint(line: bytes, keys: VerifyingKeys) -> Checkpoint:
    """Read the line (without newline) and check its signature.

    Raises:
        MalformedError: not a checkpoint.
        KeyUnknownError: signed under a `kid` that is not ours.
        SignatureError: changed, or signed by somebody else.
    """
    header, payload, signature = _split(line)
    checkpoint = _parse_payload(_decode_part(payload))
    key = keys(_parse_kid(_decode_part(header)))
    key.verify(decode_b64u(signature), f"{header}.{payload}".encode())
    return checkpoint


def explain(error: MalformedError | KeyUnknownError | SignatureError) -> str:
    """What `verify_checkpoint` found, for people."""
    if isinstance(error, KeyUnknownError):
        return "the checkpoint is signed with a key that is not ours"
    if isinstance(error, SignatureError):
        return "the checkpoint's signature does not match"
    return f"not a checkpoint: {error.detail}"


def _b64u_json(value: Any) -> str:
    return encode_b64u(encode_canonical_json(value))


def _split(line: bytes) -> tuple[str, str, str]:
    try:
        parts = line.decode("ascii").split(".")
    except UnicodeDecodeError:
        raise MalformedError("not ASCII") from None
    if len(parts) != _PARTS or len(line) > MAX_LINE:
        raise MalformedError("not three parts")
    return parts[0], parts[1], parts[2]


def _decode_part(part: str) -> dict[str, Any]:
    try:
        members = decode_json(decode_b64u(part), max_size=MAX_LINE)
    except TooLargeError:
        raise MalformedError("too long") from None
    if not isinstance(members, dict):
        raise MalformedError("not an object")
    return members


def _parse_kid(header: Mapping[str, Any]) -> str:
    kid = header.get("kid")
    if header != {"alg": "ES256", "kid": kid, "typ": CHECKPOINT_TYPE} or not isinstance(kid, str):
        raise MalformedError("another header")
    return kid


def _parse_payload(members: Mapping[str, Any]) -> Checkpoint:
    if members.keys() != _MEMBERS.keys() or not all(
        type(members[name]) is kind for name, kind in _MEMBERS.items()
    ):
        raise MalformedError("another payload")
    if members["v"] != 1 or members["n"] < 1 or members["seq"] < 1:
        raise MalformedError("a number out of range")
    return Checkpoint(
        number=members["n"],
        node=members["node"],
        head=ChainHead(seq=members["seq"], mac=decode_b64u_sized(members["mac"], MAC_SIZE)),
        at=Instant(members["at"]),
        previous=decode_b64u_sized(members["previous"], 32),
    )
