"""A device that proves itself in a header, against the server that let it enrol."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.kits.sealed import (
    SignedIn,
    login_payload,
    password_payload,
    seal,
    short_key,
    sign_in,
    try_change,
)
from tests.kits.world import World, open_world

from watchword.client.device import new_vault, prover_of
from watchword.client.drive import drive_async
from watchword.client.effects import Call, Effect, Reply
from watchword.client.flows.account import log_in
from watchword.client.flows.sealed import Prover
from watchword.client.vault import VaultFile
from watchword.core.clock import HOUR, SECOND, Instant
from watchword.core.encoding import decode_b64u
from watchword.core.ids import DeviceId, RequestId
from watchword.core.secret import Secret
from watchword.crypto.keyring import DataKeyPurpose
from watchword.errors import OverloadedError, RefusedError
from watchword.protocol.device_header import WINDOW, HeaderKey
from watchword.protocol.device_proof import prove_device
from watchword.protocol.envelope import Purpose, envelope_digest
from watchword.protocol.messages import SealedRequest
from watchword.server.context import RequestContext
from watchword.server.db.unit import Unit
from watchword.server.devices.client_keys import ClientKeys
from watchword.server.devices.header_pass import DevicePass
from watchword.server.devices.sql import SQLDeviceStore
from watchword.server.limits.memory import MemoryLimiter
from watchword.server.used_keys import MemoryUsedKeys

pytestmark = pytest.mark.anyio
PATH = "/api/login"


@pytest.fixture
async def world(tmp_path: Path, database_location: str | Path) -> AsyncIterator[World]:
    database = None if isinstance(database_location, Path) else database_location
    async with open_world(tmp_path / "world", database=database) as opened:
        yield opened


def key_of(world: World, anna: SignedIn) -> HeaderKey:
    grant = anna.enrolled.grant
    return HeaderKey(
        device=DeviceId.parse(anna.enrolled.device),
        client_key=Secret(decode_b64u(grant.client_key)),
        seed_version=grant.seed_version,
        issuer=world.core.origin,
    )


def made(world: World, key: HeaderKey, *, method: str = "POST", path: str = PATH, late: int = 0) -> str:
    return key.header(method, path, now=Instant(world.clock.now() - late), entropy=world.client_entropy)


async def check(world: World, text: str, *, method: str = "POST", path: str = PATH) -> DeviceId:
    return await world.services.device_pass.check(method, path.encode(), text, world.clock.now())


async def refusal(world: World, text: str, *, method: str = "POST", path: str = PATH) -> str:
    with pytest.raises(RefusedError) as caught:
        await check(world, text, method=method, path=path)
    return caught.value.reason.removeprefix("device_header_")


async def test_a_device_is_known_by_its_header_once(world: World) -> None:
    anna = await sign_in(world, "anna")
    key = key_of(world, anna)
    header = made(world, key)
    assert await check(world, header) == key.device
    assert await refusal(world, header) == "used"
    assert await check(world, made(world, key)) == key.device


async def test_a_header_is_for_one_method_path_device_and_server(world: World) -> None:
    anna, bert = await sign_in(world, "anna"), await sign_in(world, "bert")
    key, other = key_of(world, anna), key_of(world, bert)
    header = made(world, key)
    assert await refusal(world, header, path="/api/login/begin") == "forged"
    assert await refusal(world, header, method="PUT") == "forged"
    assert await refusal(world, header.replace(str(key.device), str(other.device))) == "forged"
    elsewhere = HeaderKey(
        device=key.device,
        client_key=key.client_key,
        seed_version=key.seed_version,
        issuer="https://else.example",
    )
    assert await refusal(world, made(world, elsewhere)) == "forged"
    assert await refusal(world, made(world, key).replace("s=1", "s=2")) == "unknown"
    assert await refusal(world, header + " ") == "form"
    assert await check(world, header) == key.device  # none of these used it up


async def test_a_device_that_nobody_has_is_unknown_and_not_forged(world: World) -> None:
    """A vault from before a restored backup names one: that is no attack."""
    anna = await sign_in(world, "anna")
    key = key_of(world, anna)
    unknown = DeviceId.new(world.clock.now(), world.client_entropy)
    assert await refusal(world, made(world, key).replace(str(key.device), str(unknown))) == "unknown"


async def test_a_header_is_good_for_a_minute_either_way(world: World) -> None:
    key = key_of(world, await sign_in(world, "anna"))
    for late in (WINDOW - 1, -WINDOW):
        assert await check(world, made(world, key, late=late)) == key.device
    for late in (WINDOW, -WINDOW - 1):
        assert await refusal(world, made(world, key, late=late)) == "time"


async def test_a_header_from_the_future_is_remembered_until_it_is_past(world: World) -> None:
    key = key_of(world, await sign_in(world, "anna"))
    header = made(world, key, late=-WINDOW)
    assert await check(world, header) == key.device
    for _ in range(2 * WINDOW // SECOND - 1):
        world.clock.advance(SECOND)
        assert await refusal(world, header) == "used"
    world.clock.advance(SECOND)
    assert await refusal(world, header) == "time"


async def test_a_device_is_known_after_the_password_was_changed_elsewhere(world: World) -> None:
    anna = await sign_in(world, "anna")
    key = key_of(world, anna)
    assert (await try_change(world, anna, password_payload(world, anna.member))).status_code == 200
    assert await check(world, made(world, key)) == key.device


async def test_a_device_that_was_ended_does_not_pass(world: World) -> None:
    key = key_of(world, await sign_in(world, "anna"))
    unit = Unit(key=b"end")
    SQLDeviceStore(world.core.database).end(unit, key.device, world.clock.now())
    await world.core.database.commit(unit)
    assert await refusal(world, made(world, key)) == "ended"


async def test_no_header_is_taken_that_could_not_be_remembered(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        key, data = key_of(world, await sign_in(world, "anna")), world.core.keys.data
        small = DevicePass(
            issuer=world.core.origin,
            devices=SQLDeviceStore(world.core.database),
            client_keys=ClientKeys(lambda version: data.get(DataKeyPurpose.GENERATION, version)),
            generation=lambda: 1,
            used=MemoryUsedKeys(limit=1),
            limiter=MemoryLimiter(world.clock),
        )
        assert await small.check("POST", PATH.encode(), made(world, key), world.clock.now()) == key.device
        with pytest.raises(OverloadedError):
            await small.check("POST", PATH.encode(), made(world, key), world.clock.now())


async def test_no_device_takes_the_room_of_the_others(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        busy, other = key_of(world, await sign_in(world, "anna")), key_of(world, await sign_in(world, "bert"))
        replayed = made(world, busy)
        await check(world, replayed)
        for _ in range(126):
            await check(world, made(world, busy))
        assert await refusal(world, replayed) == "used"  # and takes nothing from the device
        await check(world, made(world, busy))
        assert await refusal(world, made(world, busy)) == "many"
        assert await check(world, made(world, other)) == other.device
        world.clock.advance(WINDOW)
        assert await check(world, made(world, busy)) == busy.device


async def test_a_header_stays_used_when_the_clock_is_set_forward_and_back(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        key = key_of(world, await sign_in(world, "anna"))
        header = made(world, key)
        await check(world, header)
        world.clock.jump(HOUR)
        assert await check(world, made(world, key)) == key.device  # which makes room, where some may go
        world.clock.jump(-HOUR)
        assert await refusal(world, header) == "used"
        world.clock.advance(SECOND)
        assert await check(world, made(world, key)) == key.device


async def test_a_login_on_a_known_device_brings_a_header_with_each_request(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        person = await world.register("anna")
        grant = person.enrolled.grant
        key = HeaderKey(
            device=DeviceId.parse(person.enrolled.device),
            client_key=Secret(decode_b64u(grant.client_key)),
            seed_version=grant.seed_version,
            issuer=world.core.origin,
        )
        calls: list[tuple[str, HeaderKey | None]] = []

        async def perform(effect: Effect) -> Reply:
            if isinstance(effect, Call):
                calls.append((effect.path, effect.device))
            return await world._perform(effect)

        prover = Prover(key=person.keys.signing, device_id=person.enrolled.device, header=key)
        flow = log_in("anna", person.password, to=world.recipient(), entropy=world.entropy, prover=prover)
        await drive_async(flow, perform)
        assert calls == [("/api/login/begin", key), ("/api/login", key)]


async def test_the_header_of_a_vault_is_good_at_its_server(tmp_path: Path) -> None:
    async with open_world(tmp_path / "world") as world:
        person = await world.register("anna")
        owner, entries = new_vault(
            person.enrolled,
            person.keys,
            server=world.core.origin,
            issuer=world.core.origin,
            root_pem="",
            number=1,
        )
        vault = VaultFile(tmp_path / "home", world.entropy).create(
            owner, entries, person.password, lambda *_: Secret(bytes(32))
        )
        prover = prover_of(vault)
        assert prover.header is not None
        assert str(await check(world, made(world, prover.header))) == person.enrolled.device
        vault.drop("WATCHWORD_CLIENT_KEY")
        assert prover_of(vault).header is None


async def test_who_passed_a_ban_as_one_device_signs_in_as_that_device(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        mine, another = DeviceId.parse(anna.enrolled.device), DeviceId.new(world.clock.now(), world.entropy)
        for proven, prover, status in [
            (mine, anna.prover, "good"),
            (mine, None, "device_not_signed"),
            (another, anna.prover, "device_not_signed"),
        ]:
            assert await outcome(world, anna, prover, proven) == status, (proven, prover)


async def outcome(world: World, anna: SignedIn, prover: Prover | None, proven: DeviceId) -> str:
    """What the login service says to a request of which the door knows that `proven` sent it."""
    key = await short_key(world, "anna")
    envelope = seal(world, Purpose.LOGIN, login_payload(world, "anna", anna.member.login_secret), sk=key)
    request = SealedRequest(
        envelope=envelope,
        device=prover.device_id if prover else None,
        signature=prove_device(prover.key, envelope_digest(envelope)) if prover else None,
    )
    context = RequestContext(
        request_id=RequestId.new(world.clock.now(), world.entropy),
        now=world.clock.now(),
        address=world.address,
        shown_address=world.address,
        user_agent="tests",
        proven_device=proven,
    )
    try:
        await world.services.login.log_in(request, context)
    except RefusedError as error:
        return error.reason
    return "good"
