"""The grammar of a request's head, checked on the raw bytes before any parser sees them.

Parsers forgive (llhttp takes spaces around a length, and more in each version); a proxy in front of us forgives
differently, and between two readings an attacker fits a second request. So one spelling of everything, RFC 9112
without its options.
"""

import re
from dataclasses import dataclass
from typing import Final

from watchword.errors import MalformedError

MAX_HEAD: Final = 16_384
"""Bytes of request line and headers."""
MAX_HEADERS: Final = 100
MAX_TARGET: Final = 2048

_HEAD: Final = re.compile(
    rb"[A-Z]{1,16} (?P<target>[\x21-\x7e]++) HTTP/1\.[01]\r\n"
    rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n"
)
_STRAY: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\0")
_FRAMING: Final = re.compile(rb"\r\n(content-length|transfer-encoding):([^\r]*+)", re.IGNORECASE)
_LENGTH: Final = re.compile(rb" ?([0-9]{1,10})")
_CHUNKED: Final = re.compile(rb" ?chunked", re.IGNORECASE)
_HOST: Final = re.compile(rb"\r\nhost:[ \t]*+([^\r \t]*+)[ \t]*+\r\n", re.IGNORECASE)
_ABSOLUTE: Final = re.compile(rb"https?://([^/?]*+)([/?].*+)?", re.IGNORECASE | re.DOTALL)


class HeadTooLargeError(MalformedError):
    """More bytes or more headers than a head may have: 431."""


class TargetTooLongError(MalformedError):
    """414."""


@dataclass(frozen=True, slots=True)
class Framing:
    """Where the body ends: after `length` bytes, or where its chunks say."""

    length: int
    chunked: bool


_NO_BODY: Final = Framing(0, chunked=False)


def check_start(pending: bytes) -> None:
    """Raise `MalformedError` as soon as the beginning of a head shows that it cannot become a good one."""
    if len(pending) > MAX_HEAD:
        raise HeadTooLargeError("the headers are too large")
    if _STRAY.search(pending):
        raise MalformedError("lines end with CR LF")


def check_head(head: bytes) -> Framing:
    """The framing of the body that follows `head` (which ends with the empty line).

    Raises `MalformedError` for everything that two readers could read in two ways.
    """
    if len(head) > MAX_HEAD or head.count(b"\n") > MAX_HEADERS + 2:
        raise HeadTooLargeError("the headers are too large")
    match = _HEAD.fullmatch(head)
    if match is None:
        raise MalformedError("the head of the request does not parse")
    target = match["target"]
    if len(target) > MAX_TARGET:
        raise TargetTooLongError("the target is too long")
    if not target.startswith(b"/"):
        _check_authority(target, head)
    return _framing(head)


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Raw path and raw query of a checked target; an authority (CONNECT) has an empty path."""
    if not target.startswith((b"/", b"*")):
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None:
            return b"", b""
        target = absolute[2] or b"/"
        target = b"/" + target if target.startswith(b"?") else target
    path, _, query = target.partition(b"?")
    return path, query


def _check_authority(target: bytes, head: bytes) -> None:
    """A target in absolute form must name the host that `Host` names (RFC 9112, 3.2.2 lets the two differ)."""
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        hosts = _HOST.findall(head)
        if len(hosts) != 1 or hosts[0].lower() != absolute[1].lower():
            raise MalformedError("the target names another host than Host")
    elif not (target == b"*" or head.startswith(b"CONNECT ")):
        raise MalformedError("the target does not parse")


def _framing(head: bytes) -> Framing:
    found = _FRAMING.findall(head)
    if not found:
        return _NO_BODY
    if len(found) > 1:
        raise MalformedError("the length of the body is stated twice")
    name, value = found[0]
    if name.lower() == b"content-length":
        length = _LENGTH.fullmatch(value)
        if length is None:
            raise MalformedError("Content-Length is not a plain number")
        return Framing(int(length[1]), chunked=False)
    if not _CHUNKED.fullmatch(value) or b" HTTP/1.1\r\n" not in head:
        raise MalformedError("Transfer-Encoding is not chunked")
    return Framing(0, chunked=True)
