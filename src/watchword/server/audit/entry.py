"""One stored entry: its encodings, its commitments and its MAC (docs/protocol/audit.md, sections 2 and 3).

All text of an entry is ASCII JSON: no value can start a new line, end a string or steer a terminal, whatever
a caller sent as its name or user agent.
"""

import hashlib
import hmac
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Final

from watchword.core.encoding import decode_json
from watchword.core.secret import Secret
from watchword.crypto.kdf import Label, derive
from watchword.errors import MalformedError, TooLargeError

MAC_SIZE: Final = 32
SALT_SIZE: Final = 16
"""128 bits: an erased value cannot be found again by trying all names or addresses."""
MAX_VALUE: Final = 512
"""Characters of one stored value; longer ones are cut. Names, addresses and user agents are shorter."""
GENESIS: Final = bytes(MAC_SIZE)
"""What stands for the MAC before the first entry."""
_DOMAIN: Final = b"watchword/v1/audit/entry\0"
_FIELD_DOMAIN: Final = b"watchword/v1/audit/field\0"
_NUMBERS: Final = struct.Struct(">qqqIII")  # seq, at, key version; lengths of tag, facts, commitments


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """Where a node's chain ends: the sequence number (0 before the first entry) and MAC of its last entry."""

    seq: int = 0
    mac: bytes = GENESIS


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One row as stored, not yet verified. Texts are the stored bytes: what was MAC-ed, never re-encoded.

    `at` is in milliseconds. `facts`: canonical JSON, an object of strings and whole numbers. `commitments`:
    canonical JSON, field to 64 hex digits. `personal`: JSON, field to [salt in hex, value]; None once erased.
    """

    node: str
    seq: int
    at: int
    tag: str
    facts: str
    commitments: str
    personal: str | None
    key_version: int
    previous_mac: bytes
    mac: bytes

    def compute_mac(self, key: Secret) -> bytes:
        """The MAC that this entry must have under the chain key of its version (`chain_key`)."""
        start = mac_start(self.node)
        message = mac_message(
            start,
            self.seq,
            self.at,
            self.key_version,
            self.tag.encode(),
            self.facts.encode(),
            self.commitments.encode(),
            self.previous_mac,
        )
        return hmac.digest(key.reveal(), message, "sha256")


def chain_key(audit_key: Secret) -> Secret:
    """The key of the entries' MACs, from one version of the audit data key."""
    return derive(audit_key, Label.AUDIT_CHAIN)


@lru_cache(maxsize=64)
def mac_start(node: str) -> bytes:
    """The part of the MAC's message that is the same for all entries of a node."""
    name = node.encode()
    return _DOMAIN + len(name).to_bytes(4, "big") + name


def mac_message(  # noqa: PLR0917  # the fields of one entry in their order, in the path of every login
    start: bytes,
    seq: int,
    at: int,
    key_version: int,
    tag: bytes,
    facts: bytes,
    commitments: bytes,
    previous: bytes,
) -> bytes:
    """Everything but the erasable column, with the length of each variable part: no two entries collide."""
    numbers = _NUMBERS.pack(seq, at, key_version, len(tag), len(facts), len(commitments))
    return b"".join((start, numbers, tag, facts, commitments, previous))


def clean(value: str) -> str:
    """`value` as it is stored: cut at MAX_VALUE, lone surrogates (which no encoding can carry) replaced."""
    if len(value) > MAX_VALUE:
        value = value[:MAX_VALUE]
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


@lru_cache(maxsize=256)
def _commitment_start(name: str) -> bytes:
    return _FIELD_DOMAIN + name.encode() + b"\0"


@lru_cache(maxsize=256)  # a few dozen sets of names, all from our own code
def _layout(names: tuple[str, ...]) -> tuple[tuple[str, str, bytes], ...]:
    """Each name in canonical order, with how its member begins in JSON and how its commitment's message does.

    Raises ValueError for a name that would stand before `account`, or after `identifier`: an account's entries are
    found by how facts begin, and the refused logins of a name by how the erasable column ends.
    """
    if "account" in names and min(names) != "account":
        raise ValueError(f"{min(names)!r} stands before 'account', which is always first")
    if "identifier" in names and max(names) != "identifier":
        raise ValueError(f"{max(names)!r} stands after 'identifier', which is always last")
    return tuple(
        (name, f"{',' if place else '{'}{encode_basestring_ascii(name)}:", _commitment_start(name))
        for place, name in enumerate(sorted(names))
    )


def commit_field(salt: bytes, name: str, value: str) -> str:
    """The commitment of one personal field, 64 hex digits. It binds by SHA-256 and hides by the salt."""
    message = _commitment_start(name) + salt + value.encode("utf-8", "surrogatepass")
    return hashlib.sha256(message).hexdigest()


def encode_facts(facts: Mapping[str, str | int]) -> str:
    """Canonical JSON: sorted names, ASCII, no spaces."""
    if not facts:
        return "{}"
    parts: list[str] = []
    for name, member, _start in _layout(tuple(facts)):
        fact = facts[name]
        text = encode_basestring_ascii(clean(fact)) if isinstance(fact, str) else int.__repr__(fact)
        parts.append(member + text)
    return "".join(parts) + "}"


def encode_personal(personal: Mapping[str, str], salts: bytes) -> tuple[str, str | None]:
    """The commitments and the erasable column. Fields, in order of name, take SALT_SIZE of `salts` each."""
    if not personal:
        return "{}", None
    commitments: list[str] = []
    values: list[str] = []
    begin = 0
    for name, member, start in _layout(tuple(personal)):
        value = clean(personal[name])
        salt = salts[begin : begin + SALT_SIZE]
        begin += SALT_SIZE
        # `commit_field`, written out: it runs several times in every login
        commitments.append(f'{member}"{hashlib.sha256(start + salt + value.encode()).hexdigest()}"')
        values.append(f'{member}["{salt.hex()}",{encode_basestring_ascii(value)}]')
    return "".join(commitments) + "}", "".join(values) + "}"


def decode_object(text: str) -> dict[str, object]:
    """A stored JSON object. Raises `MalformedError`."""
    try:
        value = decode_json(text.encode())
    except (TooLargeError, UnicodeEncodeError):
        raise MalformedError("not a stored object") from None
    if not isinstance(value, dict):
        raise MalformedError("not a stored object")
    return value


def decode_personal(text: str | None) -> dict[str, tuple[bytes, str]]:
    """Field name to (salt, value) of the erasable column; empty when erased. Raises `MalformedError`."""
    fields: dict[str, tuple[bytes, str]] = {}
    for name, pair in decode_object(text).items() if text is not None else ():
        match pair:
            case [str(salt), str(value)]:
                fields[name] = (_from_hex(salt), value)
            case _:
                raise MalformedError("a personal field is a salt and a value")
    return fields


def encode_kept(fields: Mapping[str, tuple[bytes, str]]) -> str | None:
    """The erasable column with what is left after an erasure, or None when nothing is."""
    kept = {name: [salt.hex(), value] for name, (salt, value) in sorted(fields.items())}
    return json.dumps(kept, separators=(",", ":")) if kept else None


def decode_commitments(text: str) -> dict[str, str]:
    """Field name to commitment. Raises `MalformedError`."""
    members = decode_object(text)
    return {name: _only_text(value) for name, value in members.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalState:
    """The committed fields that are erased, and the stored ones that are not what was committed to."""

    erased: frozenset[str]
    mismatched: tuple[str, ...]


NOTHING_PERSONAL: Final = PersonalState(erased=frozenset(), mismatched=())


def inspect_personal(entry: AuditEntry) -> PersonalState:
    """Compare the erasable column with the commitments. Raises `MalformedError`."""
    if entry.personal is None and entry.commitments == "{}":
        return NOTHING_PERSONAL
    commitments = decode_commitments(entry.commitments)
    fields = decode_personal(entry.personal)
    mismatched = [
        name
        for name, (salt, value) in fields.items()
        if commitments.get(name) != commit_field(salt, name, value)
    ]
    erased = frozenset(commitments.keys() - fields.keys())
    return PersonalState(erased=erased, mismatched=tuple(mismatched))


def _only_text(value: object) -> str:
    if not isinstance(value, str):
        raise MalformedError("a commitment is text")
    return value


def _from_hex(text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        raise MalformedError("not hex") from None
    if value.hex() != text:  # upper case, or spaces: one spelling only
        raise MalformedError("not hex")
    return value
