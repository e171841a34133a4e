"""Text forms of bytes, and JSON that means one thing only.

Every decoder here raises `MalformedError` and nothing else, and accepts exactly one spelling of each value.
"""

import binascii
import json
import re
from typing import Any, Final, NoReturn

from watchword.errors import MalformedError, TooLargeError

MAX_JSON_DEPTH: Final = 32
"""Deep enough for every document of ours; shallow enough that no parser's recursion matters."""
MAX_JSON_SIZE: Final = 1 << 20
_MAX_JSON_INTEGER_DIGITS: Final = 19  # 2^63 has 19 digits: nothing of ours is larger

_CROCKFORD: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_CROCKFORD_PAIRS: Final = tuple(high + low for high in _CROCKFORD for low in _CROCKFORD)
_CROCKFORD_DIGITS: Final = re.compile(rf"[{_CROCKFORD}]*\Z")
_TO_BASE32HEX: Final = str.maketrans(_CROCKFORD, "0123456789abcdefghijklmnopqrstuv")  # what `int` reads
_B64U: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# To the alphabet that `binascii` reads; what is not base64url becomes what strict reading refuses.
_B64U_TO_B64: Final = bytes(c if c in _B64U else 33 for c in range(256)).translate(
    bytes.maketrans(b"-_", b"+/")
)
# By the characters over a multiple of four: one alone cannot be; of the last of two or three, some bits are spare.
_B64U_LAST: Final[tuple[frozenset[str], ...]] = (
    frozenset(),
    frozenset(),
    frozenset("AQgw"),
    frozenset("AEIMQUYcgkosw048"),
)
_B64U_PADDING: Final = (b"", b"", b"==", b"=")
_OPENERS: Final = re.compile(rb'[\[{\]}"]')
_STRING_END: Final = re.compile(rb'(?:[^"\\]|\\.)*"', re.DOTALL)


def encode_b64u(data: bytes) -> str:
    """base64url without padding (RFC 7515, section 2)."""
    return binascii.b2a_base64(data, newline=False).decode().rstrip("=").replace("+", "-").replace("/", "_")


def decode_b64u(text: str) -> bytes:
    """Exact inverse of `encode_b64u`: no padding, no other alphabet, no spare bits set."""
    over = len(text) % 4
    if over and text[-1] not in _B64U_LAST[over]:
        raise MalformedError("base64url cut short or with spare bits set")
    try:
        return binascii.a2b_base64(
            text.encode("ascii").translate(_B64U_TO_B64) + _B64U_PADDING[over], strict_mode=True
        )
    except ValueError:
        raise MalformedError("not base64url without padding") from None


def decode_b64u_sized(text: str, size: int) -> bytes:
    """`decode_b64u` of exactly `size` bytes."""
    data = decode_b64u(text)
    if len(data) != size:
        raise MalformedError(f"expected {size} bytes")
    return data


def encode_crockford(data: bytes) -> str:
    """Crockford base32, lower case, most significant digit first, zero-extended on the left."""
    digits = -(-len(data) * 8 // 5)
    number = int.from_bytes(data, "big")
    pairs = [_CROCKFORD_PAIRS[(number >> shift) & 1023] for shift in range(10 * ((digits - 1) // 2), -1, -10)]
    return "".join(pairs)[-digits:] if digits else ""


def decode_crockford(text: str, size: int) -> bytes:
    """Exact inverse of `encode_crockford` for `size` bytes. Lower case only; callers fold what people typed."""
    if len(text) != -(-size * 8 // 5) or not _CROCKFORD_DIGITS.match(text):
        raise MalformedError("not Crockford base32 of this size")
    number = int(text.translate(_TO_BASE32HEX), 32) if text else 0
    try:
        return number.to_bytes(size, "big")
    except OverflowError:
        raise MalformedError("not Crockford base32 of this size") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedError("a member name stands twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise MalformedError(f"{name} is not JSON")


def _no_float(_text: str) -> NoReturn:
    raise MalformedError("numbers are whole here")


def _small_int(text: str) -> int:
    if len(text) > _MAX_JSON_INTEGER_DIGITS + 1 or text == "-0":
        raise MalformedError("number out of range")
    number = int(text)
    if not -(1 << 63) <= number < 1 << 63:
        raise MalformedError("number out of range")
    return number


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_CANONICAL_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
)
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_no_float, parse_int=_small_int
)


def _check_depth(data: bytes) -> None:
    """Raise if brackets outside strings nest deeper than MAX_JSON_DEPTH; linear, without recursion."""
    if data.count(b"[") + data.count(b"{") <= MAX_JSON_DEPTH:
        return
    depth = position = 0
    while found := _OPENERS.search(data, position):
        position = found.end()
        sign = found[0]
        if sign == b'"':
            end = _STRING_END.match(data, position)
            if end is None:
                return  # an unfinished string: the parser says so
            position = end.end()
        elif sign in b"[{":
            depth += 1
            if depth > MAX_JSON_DEPTH:
                raise MalformedError("nested too deeply")
        else:
            depth -= 1


def decode_json(data: bytes, *, max_size: int = MAX_JSON_SIZE) -> Any:
    """Parse strict JSON (RFC 8259 with the restrictions of RFC 7493).

    UTF-8, no byte order mark, unique member names, whole numbers of 64 bits, bounded depth, no lone surrogates.

    Raises:
        TooLargeError: longer than `max_size` bytes.
        MalformedError: anything else.
    """
    if len(data) > max_size:
        raise TooLargeError
    _check_depth(data)
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)
        if "\\u" in text:  # only an escape can make a lone surrogate
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise MalformedError("not JSON") from None
    return value


def encode_json(value: Any) -> bytes:
    """Compact JSON in UTF-8, members in the order given."""
    return _ENCODER.encode(value).encode("utf-8")


def encode_canonical_json(value: Any) -> bytes:
    """Compact JSON with sorted members, for what is hashed or MAC-ed. Strings and whole numbers only inside."""
    return json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
    ).encode()
