import asyncio
import json
from pathlib import Path

import pytest
from tests.kits.audit import ACCOUNT, Trail

from watchword.core.clock import Instant
from watchword.core.ids import AccountId
from watchword.errors import DamagedError
from watchword.server.audit.entry import decode_object, decode_personal
from watchword.server.audit.erase import Erasure
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.db.unit import Unit

OTHER = "acc_01j00000000000000000000001"


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    return Trail(tmp_path)


def erase(trail: Trail, erasure: Erasure) -> int:
    trail.database.chain = trail.chain
    return asyncio.run(trail.service.erase_personal(erasure))


def seqs(trail: Trail, limit: int, after: dict[str, int] | None = None) -> list[int]:
    return [entry.seq for entry in asyncio.run(trail.service.tail(limit, after))]


def test_tail_gives_the_newest_or_the_next(trail: Trail) -> None:
    trail.add(10)
    assert seqs(trail, 3) == [8, 9, 10]
    assert seqs(trail, 3, {"main": 4}) == [5, 6, 7]
    assert seqs(trail, 3, {}) == [1, 2, 3]
    assert seqs(trail, 3, {"main": 10}) == []
    assert seqs(trail, 0) == []
    assert seqs(trail, 5000) == list(range(1, 11))


def test_tail_merges_nodes_by_time_and_keeps_each_in_order(trail: Trail) -> None:
    for _ in range(3):
        trail.add(1)
        trail.add(1, node="other")
    found = [(entry.node, entry.seq) for entry in asyncio.run(trail.service.tail(4))]
    assert found == [("main", 2), ("other", 2), ("main", 3), ("other", 3)]


def test_tail_of_a_damaged_entry_says_so(trail: Trail) -> None:
    trail.add(3)
    for value in ("x'00'", "cast(x'ff' as text)"):
        trail.edit(f"update audit_entries set tag = {value} where seq = 2")
        with pytest.raises(DamagedError, match="verify the trail"):
            seqs(trail, 3)


def test_follow_gives_what_comes_after(trail: Trail) -> None:
    trail.add(2)

    async def go() -> list[int]:
        following = trail.service.follow(every=0.001)
        first = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0.01)
        trail.database.chain = trail.chain
        await trail.database.commit(Unit(b"x", events=[trail.event(1), trail.event(2)]))
        found = [(await first).seq, (await anext(following)).seq]
        await following.aclose()  # type: ignore[attr-defined]  # an async generator has it
        return found

    assert asyncio.run(asyncio.wait_for(go(), 60)) == [3, 4]


def test_a_verification_reports_progress_and_totals(trail: Trail) -> None:
    trail.add(600)
    trail.add(10, node="other")
    trail.checkpoint()
    told: list[int] = []
    report = asyncio.run(trail.service.verify(told.append))
    assert report.ok
    assert (report.entries, report.checkpoints, report.erased) == (610, 1, 0)
    assert told == [256, 512, 600, 610]
    assert {node: head.seq for node, head in report.heads.items()} == {"main": 600, "other": 10}
    assert report.heads["main"] == trail.chain.head


def test_erasing_an_account_leaves_a_trail_that_verifies(trail: Trail) -> None:
    trail.add(1200)
    trail.write(
        AuditEvent(
            tag=AuditTag.TOKEN_ISSUED, at=Instant(5), facts={"account": OTHER}, personal={"address": "a"}
        )
    )
    trail.checkpoint()
    assert erase(trail, Erasure(account=AccountId.parse(ACCOUNT))) == 2400
    report = trail.verify(live=True)
    assert report.problems == []
    assert report.erased == 1200
    (kept,) = [entry for entry in trail.entries() if entry.personal is not None]
    assert decode_personal(kept.personal)["address"][1] == "a"


def test_an_erasure_is_itself_in_the_trail(trail: Trail) -> None:
    trail.add(3)
    erase(
        trail,
        Erasure(account=AccountId.parse(ACCOUNT), fields=frozenset({"address"}), before=Instant(1 << 50)),
    )
    last = trail.entries()[-1]
    assert last.tag == AuditTag.AUDIT_ERASED
    assert decode_object(last.facts) == {
        "account": ACCOUNT,
        "before": 1 << 50,
        "fields": "address",
        "first": 1,
        "last": 3,
        "node": "main",
        "values": 3,
    }


def test_erasing_one_field_keeps_the_others(trail: Trail) -> None:
    trail.add(3)
    assert erase(trail, Erasure(fields=frozenset({"address", "unheard-of"}))) == 3
    assert [list(decode_personal(entry.personal)) for entry in trail.entries()[:3]] == [["user_agent"]] * 3
    trail.checkpoint()
    assert trail.found() == []
    assert trail.verify().erased == 3
    assert erase(trail, Erasure(fields=frozenset({"address"}))) == 0
    assert len(trail.entries()) == 4  # nothing was erased, so there is nothing to say


def test_erasing_nothing_named_erases_nothing(trail: Trail) -> None:
    trail.add(3)
    assert erase(trail, Erasure(fields=frozenset())) == 0
    with pytest.raises(ValueError, match="names what it erases"):
        Erasure()


def test_erasing_what_is_old_keeps_what_is_new(trail: Trail) -> None:
    trail.add(10)
    fifth = trail.entries()[4]
    assert erase(trail, Erasure(before=Instant(fifth.at))) == 8
    assert [entry.personal is None for entry in trail.entries()[:10]] == [True] * 4 + [False] * 6


def test_an_account_is_matched_whole(trail: Trail) -> None:
    """Neither `_` nor a longer text of the same beginning matches."""
    for fact in (ACCOUNT.replace("_", "x"), ACCOUNT + "0", f"x{ACCOUNT}"):
        trail.write(
            AuditEvent(
                tag=AuditTag.TOKEN_ISSUED, at=Instant(5), facts={"account": fact}, personal={"address": "a"}
            )
        )
    assert erase(trail, Erasure(account=AccountId.parse(ACCOUNT))) == 0


def test_an_erased_value_cannot_be_put_back_otherwise(trail: Trail) -> None:
    trail.add(3)
    trail.checkpoint()
    before = trail.entries()[1].personal
    erase(trail, Erasure(account=AccountId.parse(ACCOUNT)))
    trail.edit("update audit_entries set personal = :personal where seq = 2", personal=before)
    assert trail.found() == []  # the true value, with its salt, is what was committed to
    forged = json.loads(before or "")
    forged["address"][1] = "203.0.113.9"
    trail.edit("update audit_entries set personal = :personal where seq = 2", personal=json.dumps(forged))
    assert trail.found() == [("personal-changed", "main", 2)]


def test_checkpoints_that_cannot_be_read_are_a_finding(trail: Trail) -> None:
    trail.add(1)
    trail.path.mkdir(parents=True)
    assert [kind for kind, _node, _seq in trail.found()] == ["checkpoint-damaged", "no-checkpoints"]
