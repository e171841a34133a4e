"""Entries as lines of JSON: what `tail` prints and an export holds, and the way back for verifying an export.

A line is ASCII and carries all that the MAC covers. Members that hold stored JSON are given as objects; when
the stored text is not what we would write (damage), it is given as a string: the damage survives the export.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from watchword.core.clock import Instant, iso
from watchword.core.encoding import decode_b64u_sized, decode_json, encode_b64u
from watchword.errors import MalformedError, TooLargeError
from watchword.server.audit.entry import MAC_SIZE, AuditEntry, decode_object

_MEMBERS: Final[dict[str, type | tuple[type, ...]]] = {
    "node": str,
    "seq": int,
    "at": int,
    "time": str,
    "tag": str,
    "facts": (dict, str),
    "personal": (dict, str, type(None)),
    "commitments": (dict, str),
    "key": int,
    "previous": str,
    "mac": str,
}
MAX_LINE: Final = 1 << 16
"""Bytes. Values are cut at 512 characters, 6 bytes each at most, and an event has few."""


def as_json_line(entry: AuditEntry) -> str:
    """One line of ASCII JSON, without the newline. `time` repeats `at` for people."""
    members = {
        "node": entry.node,
        "seq": entry.seq,
        "at": entry.at,
        "time": iso(Instant(entry.at)),
        "tag": entry.tag,
        "facts": _shown(entry.facts),
        "personal": None if entry.personal is None else _shown(entry.personal),
        "commitments": _shown(entry.commitments),
        "key": entry.key_version,
        "previous": encode_b64u(entry.previous_mac),
        "mac": encode_b64u(entry.mac),
    }
    return json.dumps(members, separators=(",", ":"))


def parse_json_line(line: bytes) -> AuditEntry:
    """Exact inverse of `as_json_line`, a newline at the end allowed. Raises `MalformedError`."""
    try:
        members = decode_json(line.removesuffix(b"\n"), max_size=MAX_LINE)
    except TooLargeError:
        raise MalformedError("the line is too long") from None
    _check_members(members)
    entry = AuditEntry(
        node=members["node"],
        seq=members["seq"],
        at=members["at"],
        tag=members["tag"],
        facts=_stored(members["facts"]),
        personal=None if members["personal"] is None else _stored(members["personal"]),
        commitments=_stored(members["commitments"]),
        key_version=members["key"],
        previous_mac=decode_b64u_sized(members["previous"], MAC_SIZE),
        mac=decode_b64u_sized(members["mac"], MAC_SIZE),
    )
    if as_json_line(entry).encode() != line.removesuffix(b"\n"):
        raise MalformedError("the line is not written as we write it")
    return entry


def parse_lines(lines: Iterable[bytes]) -> Iterator[AuditEntry | MalformedError]:
    """Each line's entry, or what is wrong with it."""
    for line in lines:
        try:
            yield parse_json_line(line)
        except MalformedError as error:
            yield error


def _check_members(members: Any) -> None:
    if not isinstance(members, dict) or members.keys() != _MEMBERS.keys():
        raise MalformedError("not an audit entry")
    for name, kind in _MEMBERS.items():
        if not isinstance(members[name], kind) or isinstance(members[name], bool):
            raise MalformedError(f"{name} has another type")


def _canonical(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _shown(text: str) -> Any:
    try:
        value = decode_object(text)
    except MalformedError:
        return text
    return value if _canonical(value) == text else text


def _stored(shown: Any) -> str:
    return shown if isinstance(shown, str) else _canonical(shown)
