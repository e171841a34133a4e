"""FAULTS C15 to C19, C22, C23, C2: envelopes that must not open, replayed ones, and what is no envelope at all."""

import asyncio
import base64
import itertools
import json
import logging
import random
import statistics
from pathlib import Path
from typing import Any

import pytest
from tests.kits.sealed import (
    DROP,
    OPERATOR,
    PATHS,
    SignedIn,
    enrol_payload,
    everything_stored,
    fresh,
    login_payload,
    make_member,
    password_payload,
    post,
    reasons,
    register_payload,
    seal,
    seal_with_header,
    shape,
    short_key,
    sign_in,
    try_login,
    whole_state,
)
from tests.kits.timing import Comparison, compare, seconds, standard_error
from tests.kits.world import World, open_world, two_worlds

from watchword.client.flows.account import DeviceKeys
from watchword.client.flows.sealed import Prover
from watchword.core.clock import HOUR
from watchword.core.encoding import decode_b64u, decode_json, encode_b64u, encode_json
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.protocol.envelope import (
    NEEDS_SHORT_KEY,
    Purpose,
    Recipient,
    SealedEnvelope,
)
from watchword.server.accounts.passwords import PasswordChecker
from watchword.testing import measured
from watchword.testing.counts import count

pytestmark = pytest.mark.anyio
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


async def good_login(world: World, name: str, secret: str, **options: Any) -> str:
    """An envelope that logs in."""
    return seal(
        world, Purpose.LOGIN, login_payload(world, name, secret), sk=await short_key(world, name), **options
    )


@pytest.mark.parametrize("size", [1 << 20, 10 << 20])
async def test_fault_C2_what_is_too_large_is_refused_before_anything_is_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    async def never(*_: Any) -> bool:
        raise AssertionError("a password was checked")

    async with open_world(tmp_path) as world:
        monkeypatch.setattr(PasswordChecker, "check", never)
        anna = await sign_in(world, "anna")
        for path in PATHS.values():
            answer = await world.call("POST", path, {"envelope": "A" * size}, token=anna.token)
            assert answer.status_code == 413
        inside = seal(
            world,
            Purpose.LOGIN,
            login_payload(world, "anna", "A" * (33 << 10)),
            sk=await short_key(world, "anna"),
        )
        assert (await post(world, Purpose.LOGIN, inside)).status_code == 403


async def test_fault_C15_a_replay_is_refused_wherever_and_whenever(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        envelope = await good_login(world, "anna", anna.login_secret)
        assert (await post(world, Purpose.LOGIN, envelope)).status_code == 200
        after = await whole_state(world)
        assert (await post(world, Purpose.LOGIN, envelope)).status_code == 403
        world.clock.jump(-HOUR)
        assert (await post(world, Purpose.LOGIN, envelope)).status_code == 403
        world.clock.jump(HOUR)
        world.address = "127.0.0.2"
        assert (await post(world, Purpose.LOGIN, envelope)).json()["code"] == "begin_again"
        world.address = "127.0.0.1"
        world.clock.advance(59_999)
        assert (await post(world, Purpose.LOGIN, envelope)).status_code == 403
        world.clock.advance(1)
        assert (await post(world, Purpose.LOGIN, envelope)).json()["code"] == "begin_again"
        assert await whole_state(world) == after
    async with open_world(tmp_path, seed="after the restart") as world:
        assert (await post(world, Purpose.LOGIN, envelope)).json()["code"] == "begin_again"
        assert await whole_state(world) == after


async def test_fault_C15_a_replay_at_another_node_is_refused(tmp_path: Path, postgres_url: str) -> None:
    async with two_worlds(tmp_path, postgres_url) as (one, two):
        anna = await make_member(one, "anna")
        used = await good_login(one, "anna", anna.login_secret)
        unused = await good_login(one, "anna", anna.login_secret)
        assert (await post(one, Purpose.LOGIN, used)).status_code == 200
        after = await whole_state(one)
        for envelope in (used, unused):
            assert (await post(two, Purpose.LOGIN, envelope)).json()["code"] == "begin_again"
        assert await whole_state(one) == after


async def test_fault_C21_of_50_at_once_with_one_short_key_one_is_looked_at(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        key = await short_key(world, "anna")
        envelopes = [
            seal(world, Purpose.LOGIN, login_payload(world, "anna", anna.login_secret), sk=key)
            for _ in range(50)
        ]
        answers = await asyncio.gather(*(post(world, Purpose.LOGIN, one) for one in envelopes))
        assert sorted(answer.status_code for answer in answers) == [200] + [403] * 49
        assert await reasons(world, "account:session:login-refused") == ["short_key_used"] * 49


@pytest.mark.parametrize("suite", Suite)
@pytest.mark.timeout(1200)
async def test_fault_C16_every_changed_bit_and_every_cut_is_refused(tmp_path: Path, suite: Suite) -> None:
    chance = random.Random(16)
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        before = await whole_state(world)
        shapes = set()
        for number in range(count(60, 3000)):
            envelope = await good_login(world, "anna", anna.login_secret, to=world.recipient(suite))
            first, _, second = envelope.partition(".")
            raw = bytearray(decode_b64u(second))
            if number % 3 == 0:
                changed = f"{first}.{encode_b64u(bytes(raw[: chance.randrange(len(raw))]))}"
            else:
                raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
                changed = f"{first}.{encode_b64u(bytes(raw))}"
            shapes.add(shape(await post(world, Purpose.LOGIN, changed)))
        assert len(shapes) == 1
        assert {status for status, _, _ in shapes} == {403}
        assert await whole_state(world) == before


@pytest.mark.timeout(1200)
async def test_fault_C16_every_changed_character_of_the_text_is_refused(tmp_path: Path) -> None:
    """In the header a change may also look like an old short key or an old sealing key: then begin again, no more."""
    chance = random.Random(61)
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        before = await whole_state(world)
        codes = set()
        for _ in range(count(60, 2000)):
            envelope = await good_login(world, "anna", anna.login_secret)
            place = chance.randrange(envelope.index(".") + 1)
            sign = chr(ord(envelope[place]) ^ 1 << chance.randrange(7))
            answer = await post(world, Purpose.LOGIN, envelope[:place] + sign + envelope[place + 1 :])
            codes.add(answer.json()["code"])
        assert codes <= {"refused", "begin_again", "key_unknown"}
        assert await whole_state(world) == before


C16_BOUND = 0.000_250
C16_PRECISION = 0.000_035
"""Seconds: rounds are added until each median's standard error is this small, or there are eight times as many."""
C16_PLACES = {"first": 0, "share": 500, "last of the share": 1119, "middle": 1200, "tag": -16, "last": -1}


def changed_at(envelope: str, place: int) -> str:
    first, _, second = envelope.partition(".")
    raw = bytearray(decode_b64u(second))
    raw[place] ^= 1
    return f"{first}.{encode_b64u(bytes(raw))}"


async def by_place(world: World, wanted: int, asked: list[str]) -> dict[str, Comparison]:
    """Refused logins through the door, each place against the median of all in the same round; `asked` grows."""
    anna = await make_member(world, "anna")
    times: dict[str, list[float]] = {place: [] for place in C16_PLACES}
    middles: list[float] = []
    chance = random.Random(3)
    while len(middles) < wanted or (len(middles) < 8 * wanted and not narrow(times, middles)):
        for place in chance.sample(sorted(C16_PLACES), len(C16_PLACES)):
            envelope = changed_at(await good_login(world, "anna", anna.login_secret), C16_PLACES[place])
            asked.append(place)
            began = seconds()
            answer = await post(world, Purpose.LOGIN, envelope)
            times[place].append(seconds() - began)
            assert answer.status_code == 403
        middles.append(statistics.median(taken[-1] for taken in times.values()))
    assert set(await reasons(world, "account:session:login-refused")) == {"envelope_contents"}
    return {place: compare(taken, middles) for place, taken in times.items()}


def narrow(times: dict[str, list[float]], middles: list[float]) -> bool:
    return all(
        standard_error([one - other for one, other in zip(taken, middles, strict=True)]) <= C16_PRECISION
        for taken in times.values()
    )


def spread(found: dict[str, Comparison]) -> float:
    medians = [each.median for each in found.values()]
    return max(medians) - min(medians)


def in_words(found: dict[str, Comparison]) -> str:
    place = max(found, key=lambda each: abs(found[each].median))
    return f"spread {spread(found) * 1e6:.0f} µs; farthest '{place}': {found[place].difference}"


@pytest.mark.timeout(1200)
async def test_fault_C16_the_place_of_a_change_does_not_show_in_time(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        found = await by_place(world, count(60, 1000), [])
    measured.record("C16 as it is", in_words(found))
    assert spread(found) < C16_BOUND, in_words(found)
    assert all(each.is_within(C16_BOUND) for each in found.values()), in_words(found)


@pytest.mark.timeout(1200)
async def test_fault_C16_a_planted_half_millisecond_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if what is changed behind the share were found out later."""
    honest, asked = SealedEnvelope.open, list[str]()

    def leaky(self: SealedEnvelope, key: SealingPrivateKey) -> bytes:
        until = seconds() + 2 * C16_BOUND
        while asked and asked[-1] in {"middle", "tag", "last"} and seconds() < until:
            pass
        return honest(self, key)

    monkeypatch.setattr(SealedEnvelope, "open", leaky)
    async with open_world(tmp_path) as world:
        found = await by_place(world, count(60, 300), asked)
    measured.record("C16 with a planted half millisecond", in_words(found))
    assert spread(found) > C16_BOUND


async def test_fault_C17_an_envelope_to_another_key_is_refused_and_says_when_to_fetch_keys(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        ours = world.recipient()
        foreign = SealingPrivateKey.generate(Suite.HYBRID, world.client_entropy).public

        async def code(to: Recipient, **header: Any) -> str:
            envelope = await good_login(world, "anna", anna.login_secret, to=to, **header)
            answer = await post(world, Purpose.LOGIN, envelope)
            return str(answer.json().get("code", answer.status_code))

        assert await code(Recipient(kid=ours.kid, key=foreign, issuer=ours.issuer)) == "refused"
        assert await code(Recipient(kid="unknown", key=foreign, issuer=ours.issuer)) == "key_unknown"
        for kid in ("../../root.key", "/etc/passwd", "a" * 65, "", "k\0", "k k", "é"):
            assert await code(ours, kid=kid) == "refused", kid


async def test_fault_C17_the_previous_key_opens_for_its_grace_and_no_longer(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        old = world.recipient()
        await world.services.operator.rotate_key("sealing", OPERATOR)
        assert world.recipient().kid != old.kid
        envelope = await good_login(world, "anna", anna.login_secret, to=old)
        assert (await post(world, Purpose.LOGIN, envelope)).status_code == 200
        grace = next(
            status.changes_at - world.clock.now()
            for status in world.core.keys.status()
            if status.key == old.kid and status.changes_at is not None
        )
        world.clock.advance(grace - 1)
        envelope = await good_login(world, "anna", anna.login_secret, to=old)
        assert (await post(world, Purpose.LOGIN, envelope)).status_code == 200
        world.clock.advance(1)
        envelope = await good_login(world, "anna", anna.login_secret, to=old)
        assert (await post(world, Purpose.LOGIN, envelope)).json()["code"] == "key_unknown"


@pytest.mark.parametrize("suite", Suite)
@pytest.mark.parametrize("point", SMALL_ORDER)
async def test_fault_C18_a_weak_point_in_an_envelope_is_refused(
    tmp_path: Path, suite: Suite, point: str
) -> None:
    async with open_world(tmp_path) as world:
        envelope = await good_login(world, "anna", fresh(world.client_entropy), to=world.recipient(suite))
        first, _, second = envelope.partition(".")
        raw, at = decode_b64u(second), 1088 if suite is Suite.HYBRID else 0
        weak = raw[:at] + bytes.fromhex(point) + raw[at + 32 :]
        answer = await post(world, Purpose.LOGIN, f"{first}.{encode_b64u(weak)}")
        assert answer.status_code == 403
        assert await reasons(world, "account:session:login-refused") == ["envelope_contents"]


async def good_payloads(world: World, anna: SignedIn) -> tuple[dict[Purpose, Any], DeviceKeys]:
    """For each purpose what its own endpoint would accept."""
    login = await try_login(world, "anna", anna.member.login_secret)
    assert login.status_code == 200
    token = (await make_member(world, "bert")).registered.temporary_token
    keys = DeviceKeys.generate(world.client_entropy)
    return {
        Purpose.BEGIN: {
            "purpose": "login",
            "identifier": "anna",
            "reply_key": fresh(world.client_entropy),
        },
        Purpose.LOGIN: login_payload(world, "anna", anna.member.login_secret),
        Purpose.REGISTER: register_payload(world, "clara"),
        Purpose.ENROL: enrol_payload(world, token, keys),
        Purpose.PASSWORD: password_payload(world, anna.member),
    }, keys


async def key_header(world: World, purpose: Purpose, payload: Any) -> dict[str, Any]:
    if purpose not in NEEDS_SHORT_KEY:
        return {}
    name = payload.get("identifier") or payload["username"]
    return {"sk": await short_key(world, name, purpose)}


async def borrowed_key(world: World, sealed_for: Purpose, shown_to: Purpose, payload: Any) -> dict[str, Any]:
    """The short key that a header of `shown_to` needs: a fresh one, but of another purpose."""
    if shown_to not in NEEDS_SHORT_KEY:
        return {}
    wrong = Purpose.PASSWORD if shown_to is Purpose.LOGIN else Purpose.LOGIN
    purpose = sealed_for if sealed_for in NEEDS_SHORT_KEY else wrong
    return {"sk": await short_key(world, payload.get("identifier", "clara"), purpose)}


async def test_fault_C19_no_envelope_is_accepted_for_another_purpose(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        payloads, keys = await good_payloads(world, anna)
        before = await whole_state(world)
        for sealed_for, shown_to in itertools.permutations(Purpose, 2):
            payload = payloads[sealed_for]
            key = await key_header(world, sealed_for, payload)
            as_it_is = seal(world, sealed_for, payload, **key)
            # The other's header, whole: its name, and a short key of the first purpose where it needs one.
            key = await borrowed_key(world, sealed_for, shown_to, payload)
            renamed = seal(world, shown_to, payload, **key)
            # Sealed for one purpose, its header then exchanged for the other's.
            moved = f"{renamed.partition('.')[0]}.{as_it_is.partition('.')[2]}"
            for envelope in (as_it_is, renamed, moved):
                answer = await post(
                    world, shown_to, envelope, prover=Prover(key=keys.signing), token=anna.token
                )
                assert answer.status_code == 403, (sealed_for, shown_to)
        assert await whole_state(world) == before
        for purpose in Purpose:  # and each is good where it belongs
            payload = payloads[purpose]
            envelope = seal(world, purpose, payload, **await key_header(world, purpose, payload))
            prover = Prover(key=keys.signing) if purpose is Purpose.ENROL else None
            answer = await post(world, purpose, envelope, prover=prover, token=anna.token)
            assert answer.status_code in {200, 201}, (purpose, answer.text)


EXTRA = {
    "is_admin": True,
    "role": "admin",
    "verified": True,
    "id": "acc_00000000000000000000000000",
    "sub": "acc_00000000000000000000000000",
    "created_at": 0,
    "device_trusted": True,
}


@pytest.mark.parametrize("purpose", Purpose)
async def test_fault_B14_no_payload_or_body_takes_a_member_too_many(tmp_path: Path, purpose: Purpose) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        payloads, keys = await good_payloads(world, anna)
        good = payloads[purpose]
        prover = Prover(key=keys.signing) if purpose is Purpose.ENROL else None
        before = await whole_state(world)
        for name, value in EXTRA.items():
            header = await key_header(world, purpose, good)
            inside = seal(world, purpose, {**good, name: value}, **header)
            answer = await post(world, purpose, inside, prover=prover, token=anna.token)
            assert answer.status_code == 403, name
            header = await key_header(world, purpose, good)
            outside = seal(world, purpose, good, **header)
            body = await post(world, purpose, outside, prover=prover, token=anna.token, **{name: value})
            assert body.status_code == 400, name
        assert await whole_state(world) == before
        envelope = seal(world, purpose, good, **await key_header(world, purpose, good))
        answer = await post(world, purpose, envelope, prover=prover, token=anna.token)
        assert answer.status_code in {200, 201}


async def test_fault_C19_a_short_key_of_one_name_does_not_serve_another(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await make_member(world, "anna")
        bert = await make_member(world, "bert")
        envelope = seal(
            world,
            Purpose.LOGIN,
            login_payload(world, "bert", bert.login_secret),
            sk=await short_key(world, "anna"),
        )
        assert (await post(world, Purpose.LOGIN, envelope)).status_code == 403
        assert await reasons(world, "account:session:login-refused") == ["short_key_identifier"]
        assert (await try_login(world, "bert", bert.login_secret)).status_code == 200


async def test_fault_C19_a_header_changed_after_sealing_is_refused(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        for change in (
            {"iss": "https://other.example"},
            {"kid": world.recipient(Suite.X25519).kid, "suite": Suite.X25519.value},
            {"kid": world.recipient(Suite.X25519).kid},
            {"suite": Suite.X25519.value},
            {"sk": await short_key(world, "anna")},
        ):
            envelope = await good_login(world, "anna", anna.login_secret)
            first, _, second = envelope.partition(".")
            header = {**decode_json(decode_b64u(first)), **change}
            moved = f"{encode_b64u(encode_json(header))}.{second}"
            assert (await post(world, Purpose.LOGIN, moved)).status_code == 403, change
            respelled = f"{encode_b64u(json.dumps(decode_json(decode_b64u(first))).encode())}.{second}"
            assert (await post(world, Purpose.LOGIN, respelled)).status_code == 403


async def test_fault_C19_an_envelope_for_another_server_is_refused(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        envelope = await good_login(world, "anna", anna.login_secret, iss="https://id.example.org")
        assert (await post(world, Purpose.LOGIN, envelope)).status_code == 403


CANARY = "canary-password-4711"


async def test_fault_C22_a_plain_password_is_refused_and_kept_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    basic = "Basic " + base64.b64encode(f"anna:{CANARY}".encode()).decode()
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        answers = []
        for path in PATHS.values():
            token = anna.token if path == PATHS[Purpose.PASSWORD] else None
            bodies = (
                {"identifier": "anna", "password": CANARY},
                {"username": "anna", "login_secret": CANARY},
                {"envelope": CANARY},
                {"envelope": f"{CANARY}.{CANARY}"},
                {"envelope": "", "device": CANARY},
                CANARY,
            )
            asked = f"{path}?password={CANARY}"
            answers += [await world.call("POST", path, body, token=token) for body in bodies]
            answers += [
                await world.call("POST", asked, {"envelope": ""}, token=token),
                await world.call("POST", path, {"envelope": ""}, headers={"authorization": basic}),
            ]
        answers.append(await world.call("GET", "/api/me", headers={"authorization": basic}))
        assert {answer.status_code for answer in answers} <= {400, 401, 403}
        assert all(CANARY not in answer.text and CANARY not in str(answer.headers) for answer in answers)
        stored = await everything_stored(world)
        # The caller in this process logs too; what is judged is the server.
        lines = [str(vars(record)) for record in caplog.records if not record.name.startswith("http")]
        refused = [line for line in lines if "http.request" in line and "'code'" in line]
    assert len(refused) == len(answers)
    for text in (stored, *lines):
        assert CANARY not in text
        assert basic[6:] not in text
    for file in (tmp_path / "watchword.db", tmp_path / "watchword.db-wal"):
        assert not file.exists() or CANARY.encode() not in file.read_bytes()


async def test_fault_C22_what_is_no_envelope_is_counted_in_the_audit_trail(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        for purpose, tag in (
            (Purpose.BEGIN, "caller:request:refuse"),
            (Purpose.LOGIN, "account:session:login-refused"),
            (Purpose.REGISTER, "account:account:register-refused"),
            (Purpose.ENROL, "account:device:enrol-refused"),
        ):
            assert (await post(world, purpose, CANARY)).status_code == 403
            assert await reasons(world, tag) == ["envelope_form"]


async def test_fault_C22_a_password_typed_as_the_name_is_kept_as_a_hash(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        typed = "my secret passphrase!"
        assert (await try_login(world, typed)).status_code == 403
        assert typed not in await everything_stored(world)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 0},
        {"v": 2},
        {"v": "1"},
        {"v": True},
        {"v": None},
        {"suite": "none"},
        {"suite": ""},
        {"suite": "x25519"},
        {"suite": "MLKEM768-X25519 "},
        {"suite": 1},
        {"suite": None},
        {"v": DROP},
        {"suite": DROP},
        {"kid": DROP},
        {"purpose": DROP},
        {"iss": DROP},
        {"sk": DROP},
        {"sk": ""},
        {"sk": None},
        {"alg": "none"},
        {"purpose": "LOGIN"},
        {"purpose": None},
    ],
    ids=lambda change: json.dumps(change, default=lambda _: "dropped"),
)
async def test_fault_C23_no_other_version_suite_or_header_is_taken(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        to = world.recipient()
        header = {
            "v": 1,
            "suite": to.key.suite.value,
            "kid": to.kid,
            "purpose": "login",
            "iss": to.issuer,
            "sk": await short_key(world, "anna"),
        }
        payload = encode_json(login_payload(world, "anna", anna.login_secret))
        bad = seal_with_header({**header, **change}, payload, to)
        before = await whole_state(world)
        assert (await post(world, Purpose.LOGIN, bad)).status_code == 403
        assert await whole_state(world) == before
        good = seal_with_header({**header, "sk": await short_key(world, "anna")}, payload, to)
        assert (await post(world, Purpose.LOGIN, good)).status_code == 200


@pytest.mark.parametrize("suite", Suite)
async def test_req_P2_both_suites_log_in(tmp_path: Path, suite: Suite) -> None:
    async with open_world(tmp_path) as world:
        anna = await make_member(world, "anna")
        envelope = await good_login(world, "anna", anna.login_secret, to=world.recipient(suite))
        assert (await post(world, Purpose.LOGIN, envelope)).status_code == 200
