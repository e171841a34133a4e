"""Kc as a server gives it: from the stored row and the generation data key, and from nothing else (T1)."""

import hmac
from pathlib import Path

import pytest
from tests.kits.world import World, open_world

from watchword.client.flows.account import DeviceKeys
from watchword.core.encoding import decode_b64u
from watchword.core.ids import DeviceId
from watchword.core.secret import Secret
from watchword.crypto.keyring import DataKeyPurpose
from watchword.server.devices.client_keys import ClientKeys, seed_of_verifier

pytestmark = pytest.mark.anyio


async def from_the_rows(world: World, device: str) -> bytes:
    """RFC 5869 by hand, over what the database and the key ring hold."""
    row = await world.core.database.fetch_one(
        "select d.id, d.generation_version, l.verifier, a.client_key_seed from devices d"
        " join accounts a on a.id = d.account_id join logins l on l.account_id = a.id and l.kind = 'username'"
        " where d.id = :id",
        {"id": DeviceId.parse(device).value},
    )
    assert row is not None
    device_id, version, verifier, seed = row
    assert isinstance(device_id, bytes)
    assert isinstance(version, int)
    assert isinstance(verifier, bytes)
    assert seed == seed_of_verifier(verifier)
    key = world.core.keys.data.get(DataKeyPurpose.GENERATION, version)
    extracted = hmac.digest(device_id, key.reveal(), "sha256")
    info = b"watchword/v1/device/client-key\0" + seed_of_verifier(verifier)
    return hmac.digest(extracted, info + b"\x01", "sha256")


async def test_req_T1_enrolment_gives_the_key_that_the_rows_and_the_data_key_make(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await world.register("anna", email="anna@example.org")
        given = decode_b64u(anna.enrolled.grant.client_key)
        assert given == await from_the_rows(world, anna.enrolled.device)
        again = await world.log_in("anna", prover=anna.prover)
        assert again.answer.grant is not None
        assert decode_b64u(again.answer.grant.client_key) == given


async def test_req_T1_two_devices_of_one_account_have_two_keys(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await world.register("anna")
        token = (await world.log_in("anna")).answer.temporary_token
        second = await world.enrol(token or "", DeviceKeys.generate(world.client_entropy))
        keys = [anna.enrolled.grant.client_key, second.grant.client_key]
        assert len(set(keys)) == 2
        assert decode_b64u(keys[1]) == await from_the_rows(world, second.device)


async def test_req_T1_two_servers_with_equal_rows_give_two_keys(tmp_path: Path) -> None:
    """A thief of the database does not have the generation key, which the root key wraps."""
    device, seed = DeviceId(bytes(16)), bytes(32)
    made = []
    for name in ("a", "b"):
        async with open_world(tmp_path / name, seed=name) as world:
            key = world.core.keys.data.current(DataKeyPurpose.GENERATION)
        keys = ClientKeys({key.version: key.key}.__getitem__)
        made.append(keys.client_key(device, generation_version=key.version, seed=seed))
    assert made[0] != made[1]


def test_req_T1_the_devices_own_version_of_the_generation_key_is_used() -> None:
    keys = {1: Secret(b"1" * 32), 2: Secret(b"2" * 32)}
    client_keys = ClientKeys(keys.__getitem__)
    made = [
        client_keys.client_key(DeviceId(bytes(16)), generation_version=version, seed=bytes(32))
        for version in (1, 2, 1)
    ]
    assert made[0] == made[2]
    assert made[0] != made[1]
