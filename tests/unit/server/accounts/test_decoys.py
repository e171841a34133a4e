"""Decoy salts: what `begin` says of names that nobody has must look, and stay, like what real accounts have."""

import hashlib
import hmac
from pathlib import Path

import pytest
from tests.kits.sealed import sign_in
from tests.kits.world import World, open_world

from watchword.client.flows.sealed import begin
from watchword.core.encoding import decode_b64u
from watchword.core.secret import Secret
from watchword.crypto.keyring import DataKeyPurpose
from watchword.crypto.passwords import SALT_SIZE
from watchword.protocol.envelope import Purpose
from watchword.server.accounts.decoys import DecoySalts

pytestmark = pytest.mark.anyio
NAMES = ("nobody", "somebody", "no@example.org", "impossible name")


async def salts(world: World, *names: str) -> list[bytes]:
    """What `begin` answers, over the whole path."""
    found = []
    for name in names:
        begun = await world.run(
            begin(name, Purpose.LOGIN, to=world.recipient(), entropy=world.client_entropy)
        )
        found.append(decode_b64u(begun.salt))
    return found


async def test_the_answer_is_a_keyed_hash_of_the_name_under_the_decoy_data_key(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        key = world.core.keys.data.get(DataKeyPurpose.DECOY, 1).reveal()
        extracted = hmac.digest(bytes(32), key, "sha256")
        derived = hmac.digest(extracted, b"watchword/v1/decoy/salt\0\x01", "sha256")
        expected = hmac.digest(derived, len("u:nobody").to_bytes(4, "big") + b"u:nobody", "sha256")
        assert await salts(world, "nobody") == [expected[:SALT_SIZE]]


async def test_two_servers_have_different_decoys(tmp_path: Path) -> None:
    """Else one could ask a server of one's own which salts are decoys."""
    found = []
    for name in ("a", "b"):
        async with open_world(tmp_path / name, seed=name) as world:
            found.append(await salts(world, *NAMES))
    assert not set(found[0]) & set(found[1])


async def test_a_decoy_is_the_same_after_a_restart_and_under_other_randomness(tmp_path: Path) -> None:
    async with open_world(tmp_path, seed="first") as world:
        before = await salts(world, *NAMES)
        assert await salts(world, *NAMES) == before
    async with open_world(tmp_path, seed="second") as world:
        assert await salts(world, *NAMES) == before


async def test_two_nodes_of_one_database_give_the_same_decoys(tmp_path: Path, postgres_url: str) -> None:
    async with open_world(tmp_path / "a", database=postgres_url, seed="a") as first:
        root = (tmp_path / "a" / "root.key").read_bytes()
        (tmp_path / "b").mkdir(mode=0o700)
        (tmp_path / "b" / "root.key").write_bytes(root)
        (tmp_path / "b" / "root.key").chmod(0o600)
        async with open_world(tmp_path / "b", database=postgres_url, seed="b") as second:
            assert await salts(first, *NAMES) == await salts(second, *NAMES)


async def test_a_decoy_is_no_plain_hash_of_the_name(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        decoys = DecoySalts(world.core.keys.data.get(DataKeyPurpose.DECOY, 1))
        for key in ("u:nobody", "e:no@example.org"):
            for text in (key, key[2:]):
                plain = {
                    hashlib.new(name, text.encode()).digest()[:SALT_SIZE]
                    for name in ("sha256", "md5", "sha1")
                }
                assert decoys.of(key)[0] not in plain


async def test_a_decoy_has_the_form_of_a_real_answer(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await sign_in(world, "anna")
        real, decoy = [
            await world.run(begin(name, Purpose.LOGIN, to=world.recipient(), entropy=world.client_entropy))
            for name in ("anna", "nobody")
        ]
        assert len(decode_b64u(real.salt)) == len(decode_b64u(decoy.salt)) == SALT_SIZE
        assert real.stretch == decoy.stretch


def test_another_key_or_another_name_gives_another_salt() -> None:
    keys = [Secret(bytes([number]) * 32) for number in range(8)]
    names = [f"u:name{number}" for number in range(50)]
    assert len({DecoySalts(key).of(name)[0] for key in keys for name in names}) == len(keys) * len(names)
