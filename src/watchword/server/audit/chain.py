"""The writing end of one node's chain: events become rows that carry their place and the previous MAC.

The head moves with the database: a working head while a transaction is open, the durable head after commit.
This stands in the path of every login, so it asks for randomness once per unit and encodes by hand.

| call          | working head                   | durable head     |
|---------------|--------------------------------|------------------|
| `begin`       | := durable                     |                  |
| `entries`     | moves past the unit's entries  |                  |
| `undo`        | back to before the last unit   |                  |
| `committed`   |                                | := working       |
| `rolled_back` | := durable                     |                  |
"""

import hmac
from collections.abc import Sequence
from typing import Final

from watchword.core.entropy import Entropy
from watchword.crypto.aead import VersionedKey
from watchword.server.audit.entry import (
    SALT_SIZE,
    ChainHead,
    chain_key,
    encode_facts,
    encode_personal,
    mac_message,
    mac_start,
)
from watchword.server.audit.model import AuditEvent
from watchword.server.audit.sql import INSERT_ENTRY
from watchword.server.db.unit import Step, Value

MAX_NODE: Final = 255
"""Characters of a node's name: a checkpoint that holds it stays within its line."""


class AuditChain:
    """An `AuditSink` (server/db/unit.py). One writer per node: not for use by several threads at once."""

    def __init__(self, *, node: str, key: VersionedKey, head: ChainHead, entropy: Entropy) -> None:
        """`key` is the current audit data key; `head` is what the database holds for `node` (`load_head`)."""
        if not 0 < len(node) <= MAX_NODE:
            raise ValueError("a node's name has 1 to 255 characters")
        self._node = node
        self._start = mac_start(node)
        self._entropy = entropy
        self.use_key(key)
        self._durable = self._working = self._before_unit = (head.seq, head.mac)
        self._open = False

    @property
    def node(self) -> str:
        return self._node

    @property
    def head(self) -> ChainHead:
        """The last entry that is durable."""
        seq, mac = self._durable
        return ChainHead(seq=seq, mac=mac)

    def use_key(self, key: VersionedKey) -> None:
        """MAC later entries with this version of the audit data key; the chain goes on unbroken."""
        self._key = (key.version, chain_key(key.key))

    def begin(self) -> None:
        if self._open:
            raise RuntimeError("the chain has one transaction at a time")
        self._open = True
        self._working = self._before_unit = self._durable

    def entries(self, events: Sequence[AuditEvent]) -> Sequence[Step]:
        """One insert per event, in order. Nothing moves when an event cannot be encoded."""
        if not self._open:
            raise RuntimeError("no transaction is open")
        seq, mac = before = self._working
        fields = sum([len(event.personal) for event in events])
        salts = self._entropy.bytes(fields * SALT_SIZE) if fields else b""
        steps: list[Step] = []
        for event in events:
            seq += 1
            step, mac = self._chain(event, seq, mac, salts)
            salts = salts[len(event.personal) * SALT_SIZE :]
            steps.append(step)
        self._before_unit = before
        self._working = (seq, mac)
        return steps

    def _chain(self, event: AuditEvent, seq: int, previous: bytes, salts: bytes) -> tuple[Step, bytes]:
        """The insert of one event, and its MAC."""
        tag = event.tag.value
        facts = encode_facts(event.facts)
        commitments, personal = encode_personal(event.personal, salts)
        version, key = self._key
        message = mac_message(
            self._start, seq, event.at, version, tag.encode(), facts.encode(), commitments.encode(), previous
        )
        mac = hmac.digest(key.reveal(), message, "sha256")
        row: dict[str, Value] = {
            "node": self._node,
            "seq": seq,
            "at": event.at,
            "tag": tag,
            "facts": facts,
            "commitments": commitments,
            "personal": personal,
            "key_version": version,
            "previous_mac": previous,
            "mac": mac,
        }
        return Step(INSERT_ENTRY, row), mac

    def undo(self) -> None:
        """The last unit did not happen."""
        self._working = self._before_unit

    def committed(self) -> None:
        self._durable = self._working
        self._open = False

    def rolled_back(self) -> None:
        self._working = self._before_unit = self._durable
        self._open = False
