"""`Forwarded` (RFC 7239): who called whom, in a list to which each proxy appended what it saw.

It is read from its right end, element by element, and no further than is asked for: what stands left of the first hop
that is not trusted was written by the caller itself, and must not decide where an element begins, not even by a quote
that it left open. In what a proxy wrote, a quote ends a string unless a backslash stands before it, so the way back
finds the same elements as the way forth.
"""

import re
from collections.abc import Iterator
from typing import Final

MAX_ELEMENT: Final = 1024
"""Bytes of one element; those that proxies write are below 200."""
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED: Final = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_PAIR: Final = re.compile(rb"(%b)=(%b|%b)" % (_TOKEN, _TOKEN, _QUOTED))
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_NODE: Final = re.compile(
    rb"(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9]{1,3}(?:\.[0-9]{1,3}){3}))(?::(?:[0-9]{1,5}|_[0-9A-Za-z._-]{1,32}))?"
)


def nodes_from_right(value: bytes) -> Iterator[str]:
    """The text of each `for`, nearest first: an address, not yet canonical; empty where the element names none.

    Empty also for `unknown`, for a made-up name (`_hidden`), and for what is no element; after that nothing follows.
    """
    end = len(value)
    while end >= 0:
        start = _start_of_last(value[:end])
        node = _node_of(value[start:end].strip(b" \t"))
        yield node
        if not node:
            return
        end = start - 1


def _start_of_last(value: bytes) -> int:
    """Where the last element begins: behind the last comma that stands in no string."""
    comma = value.rfind(b",")
    behind = value[comma + 1 :]
    if b"\\" not in behind and behind.count(b'"') % 2 == 0:  # as proxies write: every string is whole
        return comma + 1
    quoted, at = False, len(value) - 1
    least = max(0, at - MAX_ELEMENT)
    while at >= least:
        if value[at] == ord('"'):
            if not quoted:
                quoted = True
            elif not _is_escaped(value, at):
                quoted = False
        elif value[at] == ord(",") and not quoted:
            return at + 1
        at -= 1
    return 0


def _is_escaped(value: bytes, at: int) -> bool:
    """Whether an odd number of backslashes stands before `at`."""
    before = value[max(0, at - MAX_ELEMENT) : at]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1


def _node_of(element: bytes) -> str:
    if len(element) > MAX_ELEMENT:
        return ""
    pairs: dict[bytes, bytes] = {}
    for part in _split(element):
        if not part:
            continue  # the grammar has empty pairs
        pair = _PAIR.fullmatch(part)
        name = pair[1].lower() if pair else b""
        if pair is None or name in pairs:
            return ""
        pairs[name] = pair[2]
    value = pairs.get(b"for", b"")
    if value.startswith(b'"'):
        value = _ESCAPED.sub(rb"\1", value[1:-1])
    node = _NODE.fullmatch(value)
    return (node[1] or node[2]).decode("ascii") if node else ""


def _split(element: bytes) -> list[bytes]:
    """The pairs, by the semicolons that stand in no string."""
    if b'"' not in element:
        return element.split(b";")
    parts: list[bytes] = []
    start, quoted, at = 0, False, 0
    while at < len(element):
        if quoted and element[at] == ord("\\"):
            at += 1
        elif element[at] == ord('"'):
            quoted = not quoted
        elif element[at] == ord(";") and not quoted:
            parts.append(element[start:at])
            start = at + 1
        at += 1
    parts.append(element[start:])
    return parts
