"""Enrolment, sessions and tokens against the whole server: one credential, one device, one owner."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.kits.sealed import (
    SignedIn,
    count_rows,
    enrol_payload,
    entries,
    everything_stored,
    log_in_as,
    make_member,
    post,
    read,
    reasons,
    seal,
    shape,
    sign_in,
    try_enrol,
)
from tests.kits.world import PASSWORD, Person, World, open_world

from watchword.client.flows.account import DeviceKeys, NewAccount
from watchword.client.flows.passwords import new_splits
from watchword.client.flows.sealed import Prover, begin
from watchword.core.clock import MINUTE
from watchword.core.encoding import decode_json, encode_b64u
from watchword.core.ids import AccountId, DeviceId, SessionId
from watchword.crypto.hpke import Suite
from watchword.protocol.chest import Chest, RecoveryKey
from watchword.protocol.device_proof import prove_device
from watchword.protocol.envelope import Purpose, envelope_digest, seal_envelope
from watchword.protocol.messages import EnrolAnswer, RegisterPayload
from watchword.protocol.passwords import prepare
from watchword.protocol.wire import encode_message
from watchword.server.db.unit import Unit
from watchword.server.devices.model import Device
from watchword.server.devices.sql import SQLDeviceStore
from watchword.server.sessions.service import MAX_LIVE

pytestmark = pytest.mark.anyio
REFUSED = "account:device:enrol-refused"


async def enrol_with(world: World, credential: str, keys: DeviceKeys) -> EnrolAnswer:
    payload = enrol_payload(world, credential, keys)
    envelope = seal(world, Purpose.ENROL, payload)
    answer = await post(world, Purpose.ENROL, envelope, prover=Prover(key=keys.signing))
    return read(answer, EnrolAnswer, Purpose.ENROL, envelope, payload)


async def test_req_T1_a_lost_answer_is_given_again_for_30_minutes(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        token = (await make_member(world, "anna")).registered.temporary_token
        keys = DeviceKeys.generate(world.client_entropy)
        first = await enrol_with(world, token, keys)
        world.clock.advance(30 * MINUTE - 1)
        again = await enrol_with(world, token, keys)
        assert (again.device, again.grant.client_key) == (first.device, first.grant.client_key)
        assert again.grant.session.ends_at == first.grant.session.ends_at  # 30 days from the password
        assert await count_rows(world, "devices") == 1
        world.clock.advance(1)
        assert (await try_enrol(world, token, keys)).status_code == 403
        assert await reasons(world, REFUSED) == ["credential_used_long_ago"]


async def test_fault_B11_a_credential_used_by_one_key_is_refused_to_another(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        used = shape(
            await try_enrol(
                world, anna.member.registered.temporary_token, DeviceKeys.generate(world.client_entropy)
            )
        )
        unknown = shape(await try_enrol(world, "wtt_" + "A" * 64, DeviceKeys.generate(world.client_entropy)))
        malformed = shape(await try_enrol(world, "please", DeviceKeys.generate(world.client_entropy)))
        assert used == unknown == malformed
        assert used[0] == 403
        assert await reasons(world, REFUSED) == ["credential_used", "credential_unknown", "credential_form"]


@pytest.mark.parametrize("spelling", [str.upper, str.lower, lambda one: f" {one}", lambda one: f"{one}\n"])
async def test_fault_B12_a_credential_has_one_spelling(tmp_path: Path, spelling: object) -> None:
    async with open_world(tmp_path) as world:
        token = (await make_member(world, "anna")).registered.temporary_token
        assert callable(spelling)
        keys = DeviceKeys.generate(world.client_entropy)
        assert (await try_enrol(world, spelling(token), keys)).status_code == 403
        assert (await try_enrol(world, token, keys)).status_code == 201


async def test_fault_B15_a_temporary_token_ends_after_five_minutes(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        early, late = [
            (await make_member(world, name)).registered.temporary_token for name in ("anna", "bert")
        ]
        world.clock.advance(5 * MINUTE - 1)
        assert (await try_enrol(world, early, DeviceKeys.generate(world.client_entropy))).status_code == 201
        world.clock.advance(1)
        assert (await try_enrol(world, late, DeviceKeys.generate(world.client_entropy))).status_code == 403
        assert await reasons(world, REFUSED) == ["credential_expired"]


async def test_fault_B12_of_50_keys_at_once_one_is_enrolled(
    tmp_path: Path, database_location: str | Path
) -> None:
    database = None if isinstance(database_location, Path) else database_location
    async with open_world(tmp_path / "w", database=database) as world:
        token = (await make_member(world, "anna")).registered.temporary_token
        tries = [try_enrol(world, token, DeviceKeys.generate(world.client_entropy)) for _ in range(50)]
        answers = await asyncio.gather(*tries)
        assert sorted(answer.status_code for answer in answers) == [201] + [403] * 49
        assert await count_rows(world, "devices") == 1
        assert await count_rows(world, "sessions") == 1


async def test_the_same_enrolment_50_times_at_once_is_one_device(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        token = (await make_member(world, "anna")).registered.temporary_token
        keys = DeviceKeys.generate(world.client_entropy)
        answers = await asyncio.gather(*(enrol_with(world, token, keys) for _ in range(50)))
        assert len({answer.device for answer in answers}) == 1
        assert await count_rows(world, "devices") == 1
        rows = await world.core.database.fetch_all("select id from sessions where ended_at is null", {})
        assert len(rows) == 1


async def test_keys_that_are_not_the_callers_own_are_refused(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        token = (await make_member(world, "anna")).registered.temporary_token
        keys, other = [DeviceKeys.generate(world.client_entropy) for _ in range(2)]
        good = enrol_payload(world, token, keys)
        twice = {**good["keys"], "message_signing": good["keys"]["signing"]}
        for changed in (
            {**good["keys"], "signing": encode_b64u(bytes(32))},
            {**good["keys"], "message_signing": encode_b64u(b"\x01" + bytes(31))},
            {**good["keys"], "sealing": encode_b64u(bytes(1216))},
            {**good["keys"], "sealing": encode_b64u(bytes(32))},
            twice,
        ):
            envelope = seal(world, Purpose.ENROL, {**good, "keys": changed})
            answer = await post(world, Purpose.ENROL, envelope, prover=Prover(key=keys.signing))
            assert answer.status_code == 403
        envelope = seal(world, Purpose.ENROL, good)
        assert (
            await post(world, Purpose.ENROL, envelope, prover=Prover(key=other.signing))
        ).status_code == 403
        assert (await post(world, Purpose.ENROL, envelope)).status_code == 403
        assert await count_rows(world, "devices") == 0
        assert (
            await post(world, Purpose.ENROL, envelope, prover=Prover(key=keys.signing))
        ).status_code == 201


async def test_an_enrolment_signature_does_not_fit_another_envelope(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        token = (await make_member(world, "anna")).registered.temporary_token
        keys = DeviceKeys.generate(world.client_entropy)
        first, second = [seal(world, Purpose.ENROL, enrol_payload(world, token, keys)) for _ in range(2)]
        signature = prove_device(keys.signing, envelope_digest(first))
        answer = await post(world, Purpose.ENROL, second, signature=signature)
        assert answer.status_code == 403


async def test_a_signing_key_names_one_device_alone(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        token = (await make_member(world, "bert")).registered.temporary_token
        assert (await try_enrol(world, token, anna.keys)).status_code == 403
        assert await reasons(world, REFUSED) == ["guard_device"]


async def fill_places(world: World, *, more: int = 0) -> list[str]:
    """Sessions until all places are taken; their ids, oldest first, the account's own last."""
    unit = Unit(key=b"test")
    made = [number.to_bytes(16, "big") for number in range(MAX_LIVE - 1 + more)]
    for session in made:
        unit.add(
            "insert into devices (id, account_id, name, signing_key, message_signing_key, sealing_key,"
            " generation_version, created_at) select :id, account_id, name, :key, message_signing_key,"
            " sealing_key, generation_version, created_at from devices limit 1",
            {"id": session, "key": session * 2},
        )
        unit.add(
            "insert into sessions (id, account_id, device_id, seed, sign_in_version, counter, auth_time,"
            " created_at, expires_at, ends_at, address, user_agent)"
            " select :id, account_id, :id, seed, sign_in_version, counter, auth_time, created_at, expires_at,"
            " ends_at, address, user_agent from sessions limit 1",
            {"id": session},
        )
    await world.core.database.commit(unit)
    return [str(SessionId(session)) for session in made]


async def live_sessions(world: World, signed: SignedIn) -> list[str]:
    account = AccountId.parse(signed.enrolled.account.id)
    return [str(one.id) for one in await world.services.sessions.list_live(account, world.clock.now())]


@pytest.mark.parametrize("more", [0, 7])
async def test_where_all_places_are_taken_the_oldest_session_ends_for_the_new_one(
    tmp_path: Path, more: int
) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        filled = await fill_places(world, more=more)
        token = (await log_in_as(world, anna.member)).temporary_token
        assert token is not None
        added = await enrol_with(world, token, DeviceKeys.generate(world.client_entropy))
        own = anna.enrolled.grant.session.id
        assert await live_sessions(world, anna) == [*filled[more + 1 :], own, added.grant.session.id]
        ended = [decode_json(one.facts.encode()) for one in await entries(world, "account:session:end")]
        assert [one["session"] for one in ended] == filled[: more + 1]
        assert {one["account"] for one in ended} == {anna.enrolled.account.id}


async def test_enrolments_at_once_keep_the_number_of_sessions(
    tmp_path: Path, database_location: str | Path
) -> None:
    database = None if isinstance(database_location, Path) else database_location
    async with open_world(tmp_path / "w", database=database) as world:
        anna = await sign_in(world, "anna")
        filled = await fill_places(world)
        tokens = [(await log_in_as(world, anna.member)).temporary_token or "" for _ in range(6)]
        tries = [try_enrol(world, token, DeviceKeys.generate(world.client_entropy)) for token in tokens]
        answers = [answer.status_code for answer in await asyncio.gather(*tries)]
        assert set(answers) <= {201, 409}
        done = answers.count(201)
        assert done >= 1
        assert len(await live_sessions(world, anna)) == MAX_LIVE
        ended = [decode_json(one.facts.encode()) for one in await entries(world, "account:session:end")]
        assert [one["session"] for one in ended] == filled[:done]


async def both(world: World) -> tuple[SignedIn, SignedIn]:
    return await sign_in(world, "anna"), await sign_in(world, "bert")


async def test_another_accounts_session_cannot_be_ended_or_seen(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna, bert = await both(world)
        theirs = f"/api/sessions/{bert.enrolled.grant.session.id}"
        refused = await world.call("DELETE", theirs, token=anna.token)
        nothing = await world.call("DELETE", "/api/sessions/ses_00000000000000000000000000", token=anna.token)
        malformed = await world.call("DELETE", "/api/sessions/x", token=anna.token)
        assert shape(refused) == shape(nothing) == shape(malformed)
        assert refused.status_code == 404
        assert (await world.call("GET", "/api/me", token=bert.token)).status_code == 200
        listed = (await world.call("GET", "/api/sessions", token=anna.token)).json()["sessions"]
        assert [one["id"] for one in listed] == [anna.enrolled.grant.session.id]
        assert (await world.call("DELETE", "/api/sessions", token=anna.token)).status_code == 204
        assert (await world.call("GET", "/api/me", token=bert.token)).status_code == 200


@pytest.mark.parametrize(
    ("audience", "status"),
    [
        ("https://app.example", 201),
        ("https://app.example:8443", 201),
        ("http://localhost:9000", 201),
        ("https://localhost:8443", 400),  # the server itself
        ("http://app.example", 400),
        ("https://APP.example", 400),
        ("https://app.example/", 400),
        ("https://app.example:443", 400),
        ("https://user@app.example", 400),
        ("https://app.example?x=1", 400),
        ("app.example", 400),
        ("*", 400),
        ("", 400),
        ("https://" + "a" * 600, 400),
    ],
)
async def test_req_M1_a_token_is_for_one_app_in_one_spelling(
    tmp_path: Path, audience: str, status: int
) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        body = {"audience": audience, "bearer": True}
        answer = await world.call("POST", "/api/tokens", body, token=anna.token)
        assert answer.status_code == status, answer.text
        assert len(await entries(world, "account:token:issue")) == (status == 201)


async def test_a_token_needs_a_session_and_the_word_bearer(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        body = {"audience": "https://app.example", "bearer": True}
        assert (await world.call("POST", "/api/tokens", body)).status_code == 401
        unbound = {**body, "bearer": False}
        assert (await world.call("POST", "/api/tokens", unbound, token=anna.token)).status_code == 403
        for extra in ({"scope": "api"}, {"level": 9}, {"sub": "acc_1"}):
            asked = {**body, **extra}
            assert (await world.call("POST", "/api/tokens", asked, token=anna.token)).status_code == 400
        granted = await world.call("POST", "/api/tokens", body, token=anna.token)
        app_token = granted.json()["access_token"]
        assert (await world.call("GET", "/api/me", token=app_token)).status_code == 401
        assert (await world.call("POST", "/api/tokens", body, token=app_token)).status_code == 401


async def test_no_token_or_credential_stands_in_the_database(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        token = anna.member.registered.temporary_token
        await try_enrol(world, token, DeviceKeys.generate(world.client_entropy))
        pending = (await log_in_as(world, anna.member)).temporary_token or ""
        stored = await everything_stored(world)
        grant = anna.enrolled.grant
        planted = (
            token,
            pending,
            token[30:],
            grant.access_token,
            grant.sign_in_token,
            grant.client_key,
            anna.member.login_secret,
        )
        for secret in planted:
            assert secret not in stored


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("/api/login/begin", "device"),
        ("/api/login/begin", "signature"),
        ("/api/register", "device"),
        ("/api/register", "signature"),
        ("/api/devices", "device"),
    ],
)
async def test_a_proof_where_none_is_looked_at_is_refused(tmp_path: Path, path: str, member: str) -> None:
    async with open_world(tmp_path) as world:
        body = {"envelope": "e30.AAAA", member: "x" * (86 if member == "signature" else 30)}
        answer = await world.call("POST", path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "refused")
        entry = (await world.core.audit.tail(1))[0]
        assert f"unexpected_{member}" in entry.facts


async def test_a_repeated_enrolment_gives_the_same_session_and_sign_in_token_again(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await world.register("anna")
        again = await world.enrol(anna.registered.temporary_token, anna.keys)
        assert again.grant.session == anna.enrolled.grant.session
        assert again.grant.sign_in_token == anna.enrolled.grant.sign_in_token
        assert again.grant.client_key == anna.enrolled.grant.client_key


async def test_devices_that_are_not_signed_in_do_not_keep_a_new_one_out(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await world.register("anna")
        for number in range(MAX_LIVE):
            await insert_device(world, anna, number)
        login = await world.log_in("anna")
        assert login.answer.temporary_token is not None
        await world.enrol(login.answer.temporary_token, DeviceKeys.generate(world.client_entropy))


async def insert_device(world: World, person: Person, number: int) -> None:
    unit = Unit(key=b"devices")
    SQLDeviceStore(world.core.database).insert(
        unit,
        Device(
            id=DeviceId.new(world.clock.now(), world.entropy),
            account_id=AccountId.parse(person.registered.account.id),
            name="left behind",
            signing_key=number.to_bytes(32, "big"),
            message_signing_key=bytes(32),
            sealing_key=bytes(1216),
            generation_version=1,
            created_at=world.clock.now(),
        ),
    )
    await world.core.database.commit(unit)


@pytest.mark.parametrize(
    ("part", "text"), [("sealed", "\0" * 5000), ("sealed", "x"), ("wrapped_chest_key", "\0" * 40)]
)
async def test_what_is_no_jwe_is_not_stored_for_a_stranger(tmp_path: Path, part: str, text: str) -> None:
    def spoil(payload: RegisterPayload) -> RegisterPayload:
        if part == "sealed":
            return msgspec.structs.replace(payload, chest=msgspec.structs.replace(payload.chest, sealed=text))
        logins = [msgspec.structs.replace(split, wrapped_chest_key=text) for split in payload.logins]
        return msgspec.structs.replace(payload, logins=logins)

    async with open_world(tmp_path) as world:
        status, code = await register_payload(world, spoil)
        assert (status, code) == (403, "refused")


async def test_only_begin_login_and_enrolment_may_do_without_the_hybrid(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        assert (await register_payload(world, lambda payload: payload, suite=Suite.HYBRID))[0] == 201
    async with open_world(tmp_path / "other") as world:
        assert (await register_payload(world, lambda payload: payload, suite=Suite.X25519))[0] == 403
        assert "envelope_suite" in (await world.core.audit.tail(1))[0].facts


async def register_payload(
    world: World, change: Callable[[RegisterPayload], RegisterPayload], suite: Suite = Suite.HYBRID
) -> tuple[int, str]:
    """Register with a payload that `change` has had its hands on."""
    to, entropy = world.recipient(suite), world.client_entropy
    new = NewAccount(username="anna", password=prepare(PASSWORD))
    recovery = RecoveryKey.generate(entropy)
    chest = Chest.create(recovery, entropy)
    splits, body = await world.run(new_splits(new.password, ["username"], chest, entropy))
    begun = await world.run(begin("anna", Purpose.REGISTER, to=to, entropy=entropy))
    payload = RegisterPayload(
        username="anna",
        logins=splits,
        chest=body,
        recovery_secret=encode_b64u(recovery.secret().reveal()),
        reply_key=encode_b64u(entropy.bytes(32)),
    )
    text = seal_envelope(
        encode_message(change(payload)), to, Purpose.REGISTER, short_key=begun.short_key
    ).text
    answer = await world.call("POST", "/api/register", {"envelope": text})
    return answer.status_code, answer.json().get("code", "")
