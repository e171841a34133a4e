"""FAULTS B: names and registration, through the whole server."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.kits.refusals import refusals
from tests.kits.sealed import (
    OPERATOR,
    count_rows,
    entries,
    everything_stored,
    make_member,
    post,
    reasons,
    register_payload,
    register_with,
    seal,
    shape,
    short_key,
    sign_in,
    try_login,
    try_register,
    whole_state,
)
from tests.kits.world import World, open_world, two_worlds

from watchword.core.clock import HOUR
from watchword.core.encoding import decode_json
from watchword.protocol.envelope import Purpose

pytestmark = pytest.mark.anyio


async def stored_names(world: World) -> list[Any]:
    rows = await world.core.database.fetch_all("select username from accounts", {})
    return sorted(row[0] for row in rows)


async def test_fault_B1_length_is_counted_in_code_points_and_stored_exactly(tmp_path: Path) -> None:
    longest, wide = "n" * 64, "𠀀" * 64
    async with open_world(tmp_path) as world:
        for bad in ("", "n", "n" * 65, "𠀀" * 65):
            assert (await try_register(world, bad)).status_code == 403, bad
        for good in ("nn", longest, wide):
            await make_member(world, good)
        assert await stored_names(world) == sorted(["nn", longest, wide])


@pytest.mark.parametrize(
    "bad",
    [
        "an\u202ena",
        "an\u200bna",
        "an\u200dna",
        "\ufeffanna",
        "anna\U000e0041",
        "anna\ue000",
        "an\0na",
        "an\u0378na",
    ],
)
async def test_fault_B2_what_cannot_be_seen_is_refused(tmp_path: Path, bad: str) -> None:
    async with open_world(tmp_path) as world:
        assert (await try_register(world, bad)).status_code == 403
        assert await stored_names(world) == []


async def test_fault_B3_two_spellings_of_e_acute_are_one_account(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        rene = await make_member(world, "ren\u00e9")
        assert (await try_register(world, "rene\u0301")).status_code == 403
        assert (await try_login(world, "rene\u0301", rene.login_secret)).status_code == 200
        assert (await try_login(world, "REN\u00c9", rene.login_secret)).status_code == 200
        assert await stored_names(world) == ["ren\u00e9"]


@pytest.mark.parametrize(
    ("first", "second"),
    [("straße", "STRASSE"), ("οδος", "οδοσ"), ("kelvin", "\u212aelvin"), ("åsa", "\u212bsa")],
)
async def test_fault_B4_names_of_one_key_are_one_account(tmp_path: Path, first: str, second: str) -> None:
    async with open_world(tmp_path) as world:
        await make_member(world, first)
        assert (await try_register(world, second)).status_code == 403
        assert await count_rows(world, "accounts") == 1


@pytest.mark.parametrize("bad", ["ａｄｍｉｎ", "ⅳan", "ﬁona", "𝐚𝐧𝐧𝐚"])
async def test_fault_B5_forms_of_letters_are_refused(tmp_path: Path, bad: str) -> None:
    async with open_world(tmp_path) as world:
        assert (await try_register(world, bad)).status_code == 403
        assert await stored_names(world) == []


async def test_fault_B6_a_look_alike_of_an_account_is_refused_in_either_order(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await make_member(world, "paypal")
        for bad in ("paypaI", "pаypal", "pаураl", "paypa1"):
            assert (await try_register(world, bad)).status_code == 403, bad
        assert (await try_register(world, "аdmin")).status_code == 403
        await make_member(world, "paypai")  # in plain small letters nobody takes it for the other
        assert await stored_names(world) == ["paypai", "paypal"]
        assert "name" in await reasons(world, "account:account:register-refused")


@pytest.mark.parametrize("bad", [" anna", "anna ", "an  na", "an na", "an\u00a0na", "an\u3000na", "an\tna"])
async def test_fault_B7_spaces_are_refused_in_names(tmp_path: Path, bad: str) -> None:
    async with open_world(tmp_path) as world:
        assert (await try_register(world, bad)).status_code == 403
        assert await stored_names(world) == []


async def test_fault_B8_no_name_is_taken_for_an_id(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        account = anna.registered.account.id
        for bad in (
            "admin",
            "root",
            "system",
            "null",
            "undefined",
            "..",
            "-",
            "a@example.org",
            account,
            "4711",
        ):
            assert (await try_register(world, bad)).status_code == 403, bad
        assert (await try_login(world, account, anna.login_secret)).status_code == 403
        assert await stored_names(world) == ["anna"]


@pytest.mark.parametrize("sign", ["%", "*", "/", ",", "+", "'", '"', "<", "{{7*7}}", "$(id)", "=", "\\", ";"])
async def test_fault_B9_what_means_something_to_other_programs_is_refused(tmp_path: Path, sign: str) -> None:
    async with open_world(tmp_path) as world:
        for bad in (f"an{sign}na", f"{sign}anna"):
            assert (await try_register(world, bad)).status_code == 403
        assert await stored_names(world) == []


async def test_fault_B9_an_underscore_stands_for_itself_alone(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        wild, plain = await make_member(world, "a_na"), await make_member(world, "anna")
        assert (await try_login(world, "a_na", plain.login_secret)).status_code == 403
        assert (await try_login(world, "anna", wild.login_secret)).status_code == 403
        assert (await try_login(world, "a%", plain.login_secret)).status_code == 403
        assert (await try_login(world, "a_na", wild.login_secret)).status_code == 200


async def test_fault_B9_a_tried_name_cannot_break_a_line_of_the_trail(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await try_login(world, 'x\r\n{"tag":"forged"}')
        (entry,) = await entries(world, "account:session:login-refused")
        assert "\n" not in (entry.personal or "")
        assert "forged" not in (entry.personal or "")


async def test_fault_B10_of_50_at_once_on_two_nodes_one_has_the_name(
    tmp_path: Path, postgres_url: str
) -> None:
    async with two_worlds(tmp_path, postgres_url) as (one, two):
        nodes = [one, two] * 25
        payloads = [register_payload(node, "anna") for node in nodes]
        tries = [register_with(node, payload) for node, payload in zip(nodes, payloads, strict=True)]
        answers = [answer for answer, _ in await asyncio.gather(*tries)]
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [201] + [403] * 49
        assert len({shape(answer) for answer in answers if answer.status_code == 403}) == 1
        for table in ("accounts", "logins", "chests", "enrolment_credentials"):
            assert await count_rows(one, table) == 1, table
        assert len(await entries(one, "account:account:register")) == 1
        assert len(await entries(one, "account:account:register-refused")) == 49


EXTRA = {
    "is_admin": True,
    "role": "admin",
    "verified": True,
    "id": "acc_00000000000000000000000000",
    "sub": "acc_00000000000000000000000000",
    "created_at": 0,
    "device_trusted": True,
}


@pytest.mark.parametrize("name", EXTRA)
async def test_fault_B14_a_member_too_many_refuses_the_whole_registration(tmp_path: Path, name: str) -> None:
    extra = {name: EXTRA[name]}
    async with open_world(tmp_path) as world:
        good = register_payload(world, "anna")
        chest = {**good["chest"], **extra}
        logins = [{**good["logins"][0], **extra}]
        for bad in ({**good, **extra}, {**good, "chest": chest}, {**good, "logins": logins}):
            answer, _ = await register_with(world, bad)
            assert answer.status_code == 403
        assert await stored_names(world) == []
        assert (await register_with(world, good))[0].status_code == 201
        row = await world.core.database.fetch_one("select level, state from accounts", {})
        assert tuple(row or ()) == (0, "active")


async def test_fault_B18_every_refusal_has_the_same_bytes(tmp_path: Path) -> None:
    shapes = {}
    async with open_world(tmp_path / "open") as world:
        await make_member(world, "anna", email="anna@example.org")
        await make_member(world, "paypal")
        for why, payload in (await refusals(world)).items():
            before = await whole_state(world)
            shapes[why] = shape((await register_with(world, payload))[0])
            assert await whole_state(world) == before, why
        kept = await reasons(world, "account:account:register-refused")
        assert len(set(kept)) >= 6
        assert len(kept) == len(shapes)
    async with open_world(tmp_path / "closed", registration="closed") as world:
        shapes["closed"] = shape(await try_register(world, "anna"))
    async with open_world(tmp_path / "invite", registration="invite") as world:
        shapes["no invitation"] = shape(await try_register(world, "anna"))
        shapes["bad invitation"] = shape(await try_register(world, "anna", invitation="wiv_" + "A" * 64))
    assert {status for status, _, _ in shapes.values()} == {403}
    assert len(set(shapes.values())) == 1, shapes


async def test_fault_B18_without_an_invitation_the_name_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(tmp_path, registration="invite") as world:
        invite = await world.services.operator.invite(OPERATOR)
        await make_member(world, "anna", invitation=invite.text)
        statements = watch_statements(world, monkeypatch)
        seen = []
        for name in ("anna", "bert", "admin"):
            payload = register_payload(world, name)
            # `begin` reads a salt for every name, or a made-up one: it answers the same for all.
            envelope = seal(
                world, Purpose.REGISTER, payload, sk=await short_key(world, name, Purpose.REGISTER)
            )
            statements.clear()
            assert (await post(world, Purpose.REGISTER, envelope)).status_code == 403
            seen.append(list(statements))
        assert seen == [["select 1 where 1 = 0"]] * 3


def watch_statements(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that the services ask for from now on; the audit trail's own are the engine's."""
    seen: list[str] = []
    kind = type(world.core.database)
    fetch_one, commit = kind.fetch_one, kind.commit

    async def watched_fetch(self: Any, sql: str, parameters: Any) -> Any:
        seen.append(sql)
        return await fetch_one(self, sql, parameters)

    async def watched_commit(self: Any, unit: Any) -> None:
        seen.extend(step.sql for step in unit.steps)
        await commit(self, unit)

    monkeypatch.setattr(kind, "fetch_one", watched_fetch)
    monkeypatch.setattr(kind, "commit", watched_commit)
    return seen


async def test_an_invitation_is_used_once_of_50_at_a_time_and_gives_its_level(tmp_path: Path) -> None:
    async with open_world(tmp_path, registration="invite") as world:
        invite = await world.services.operator.invite(OPERATOR, level=3)
        payloads = [
            register_payload(world, f"anna{number:02}", invitation=invite.text) for number in range(50)
        ]
        answers = [
            answer for answer, _ in await asyncio.gather(*(register_with(world, one) for one in payloads))
        ]
        assert sorted(answer.status_code for answer in answers) == [201] + [403] * 49
        row = await world.core.database.fetch_one("select level from accounts", {})
        assert tuple(row or ()) == (3,)
        assert await count_rows(world, "accounts") == 1


async def test_a_refused_name_does_not_use_up_the_invitation(tmp_path: Path) -> None:
    async with open_world(tmp_path, registration="invite") as world:
        first, second = [await world.services.operator.invite(OPERATOR) for _ in range(2)]
        await make_member(world, "anna", invitation=first.text)
        assert (await try_register(world, "anna", invitation=second.text)).status_code == 403
        await make_member(world, "bert", invitation=second.text)


async def test_an_invitation_ends_at_its_edge(tmp_path: Path) -> None:
    async with open_world(tmp_path, registration="invite") as world:
        invites = [await world.services.operator.invite(OPERATOR, valid_for=HOUR) for _ in range(2)]
        world.clock.advance(HOUR - 1)
        await make_member(world, "anna", invitation=invites[0].text)
        world.clock.advance(1)
        assert (await try_register(world, "bert", invitation=invites[1].text)).status_code == 403


async def test_fault_B20_who_registers_a_freed_name_is_somebody_else(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        old = await sign_in(world, "anna", email="anna@example.org")
        await world.services.operator.delete("anna", OPERATOR)
        new = await sign_in(world, "anna", email="anna@example.org")
        assert new.member.registered.account.id != old.member.registered.account.id
        assert (await world.call("GET", "/api/me", token=old.token)).status_code == 401
        assert (await try_login(world, "anna", old.member.login_secret)).status_code == 403
        answer = await try_login(world, "anna", new.member.login_secret, prover=old.prover)
        assert answer.status_code == 403
        assert new.enrolled.grant.client_key != old.enrolled.grant.client_key
        assert await count_rows(world, "devices") == 1


async def test_audit_entries_of_refusals_carry_a_reason_and_no_secret(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        payload = register_payload(world, "admin")
        await register_with(world, payload)
        (entry,) = await entries(world, "account:account:register-refused")
        assert decode_json(entry.facts.encode())["reason"] == "name_reserved"
        stored = await everything_stored(world)
        for secret in (
            payload["logins"][0]["login_secret"],
            payload["recovery_secret"],
            payload["reply_key"],
        ):
            assert secret not in stored
