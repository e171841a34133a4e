"""The audit trail in process: what an entry adds to a login, how fast a trail is verified. No database."""

import time
from collections.abc import Callable

from bench import Row, at_most, told
from watchword.core.clock import Instant
from watchword.core.entropy import SystemEntropy
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.server.audit.chain import AuditChain
from watchword.server.audit.entry import ChainHead
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.audit.sql import COLUMN_NAMES, parse_row
from watchword.server.audit.verify import ChainVerifier, KeyRing

_KEY = Secret(bytes(range(32)))
_EVENTS = 2_000
_ROUNDS = 25
MOST_US = 10.0
"""Of a login: it stands in the path of each."""
LOGIN = AuditEvent(
    tag=AuditTag.LOGIN_SUCCEEDED,
    at=Instant(1_800_000_000_000),
    facts={
        "account": "acc_01j0000000000000000000000x",
        "device": "dev_01j0000000000000000000000x",
        "session": "ses_01j0000000000000000000000x",
        "request": "req_01j0000000000000000000000x",
    },
    personal={"address": "192.0.2.1", "user_agent": "watchword/0.1 (Linux) httpx"},
)
PLAIN = AuditEvent(
    tag=AuditTag.TOKEN_ISSUED, at=LOGIN.at, facts={"account": "acc_01j0000000000000000000000x"}
)


def run() -> list[Row]:
    """The best of a few rounds each."""
    login = _append(LOGIN)
    return [
        at_most("audit: append a login", login, "µs", MOST_US),
        told("audit: append without personal values", _append(PLAIN), "µs"),
        told("audit: verify", _verify(LOGIN), "entries/s"),
    ]


def _best(work: Callable[[], None]) -> float:
    """Seconds of this thread: other work on the machine is not measured."""
    times: list[float] = []
    for _ in range(_ROUNDS):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return min(times)


def _chain() -> AuditChain:
    chain = AuditChain(
        node="main", key=VersionedKey(version=1, key=_KEY), head=ChainHead(), entropy=SystemEntropy()
    )
    chain.begin()
    return chain


def _append(event: AuditEvent) -> float:
    chain = _chain()
    events = [event]

    def work() -> None:
        for _ in range(_EVENTS):
            chain.entries(events)

    return round(_best(work) / _EVENTS * 1e6, 2)


def _verify(event: AuditEvent) -> int:
    rows = [[step.parameters[name] for name in COLUMN_NAMES] for step in _chain().entries([event] * _EVENTS)]

    def work() -> None:
        verifier = ChainVerifier(node="main", keys=KeyRing(lambda _version: _KEY))
        assert not [problem for row in rows for problem in verifier.feed(parse_row(row))]

    return int(len(rows) / _best(work))
