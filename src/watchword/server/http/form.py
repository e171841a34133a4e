"""Forms as browsers post them (application/x-www-form-urlencoded): text fields, each at most once, no other."""

from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from watchword.errors import MalformedError, TooLargeError

_MAX_FIELDS: Final = 32


def decode_form(data: bytes, kind: type[msgspec.Struct], *, max_size: int) -> Any:
    """The struct in `data`. Raises `MalformedError`, which never repeats a value, and `TooLargeError`."""
    if len(data) > max_size:
        raise TooLargeError
    try:
        text = data.decode("ascii")
        pairs = parse_qsl(text, True, True, errors="strict", max_num_fields=_MAX_FIELDS) if text else []
    except ValueError:
        raise MalformedError("the form does not parse") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise MalformedError("a field of the form stands twice")
    try:
        return msgspec.convert(fields, kind, strict=True)
    except msgspec.ValidationError:
        raise MalformedError("the form has other fields than the page's") from None
