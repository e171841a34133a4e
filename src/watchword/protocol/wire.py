"""The base of every message struct, and field types whose bounds stand in the type itself."""

from typing import Annotated, TypeVar

import msgspec

from watchword.core.encoding import decode_json, encode_json
from watchword.errors import MalformedError

MAX_PAYLOAD: int = 48 * 1024
"""Bytes of a payload inside an envelope: what remains of a 64 kB body after base64url."""

ShortText = Annotated[str, msgspec.Meta(max_length=256)]
Blob = Annotated[str, msgspec.Meta(max_length=4096)]
"""base64url of at most 3 KiB: every key and wrapped key of ours."""
LongBlob = Annotated[str, msgspec.Meta(max_length=32768)]
SmallCount = Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A wire message: immutable, and a member that we do not know refuses the whole."""


M = TypeVar("M", bound=Message)


def parse_message(data: bytes, kind: type[M], *, max_size: int = MAX_PAYLOAD) -> M:
    """Decode strict JSON into `kind`. Raises `MalformedError`, `TooLargeError`."""
    return convert_message(decode_json(data, max_size=max_size), kind)


def convert_message(value: object, kind: type[M]) -> M:
    """Give decoded JSON its type. Raises `MalformedError`, without repeating what was sent."""
    try:
        return msgspec.convert(value, type=kind, strict=True)
    except (msgspec.ValidationError, ValueError):
        raise MalformedError(f"not a {kind.__name__}") from None


def encode_message(message: Message) -> bytes:
    return encode_json(msgspec.to_builtins(message))
