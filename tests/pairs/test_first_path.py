"""The first whole path, client machine against server machine: register, enrol, log in, be recognised."""

from pathlib import Path

import pytest
from tests.kits.world import PASSWORD, open_world

from watchword.client.flows import account, api
from watchword.core.clock import DAY, MINUTE
from watchword.core.secret import Secret
from watchword.errors import RefusedError, UnauthenticatedError
from watchword.protocol.chest import recover_chest
from watchword.protocol.passwords import prepare

pytestmark = pytest.mark.anyio


async def test_req_T1_registration_enrols_a_device_and_returns_its_client_key(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await world.register("anna", email="anna@example.org")
        again = await world.log_in("anna", prover=anna.prover)
        assert again.answer.grant is not None
        assert again.answer.grant.client_key == anna.enrolled.grant.client_key
        assert again.answer.grant.session.id != anna.enrolled.grant.session.id


@pytest.mark.parametrize("identifier", ["anna", "ANNA", "anna@example.org", "Anna@EXAMPLE.org"])
async def test_req_P2_either_name_in_any_spelling_logs_in(tmp_path: Path, identifier: str) -> None:
    async with open_world(tmp_path) as world:
        anna = await world.register("anna", email="anna@example.org")
        found = await world.log_in(identifier, prover=anna.prover)
        assert found.answer.account.id == anna.registered.account.id
        assert found.open_chest().version == 1


async def test_req_M2_a_login_without_a_device_gives_a_temporary_token_alone(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await world.register("anna")
        answer = (await world.log_in("anna")).answer
        assert answer.grant is None
        assert answer.temporary_token is not None
        assert answer.temporary_token_expires_at == world.clock.now() + 5 * MINUTE


async def test_req_M1_a_session_lasts_a_week_and_names_its_device(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await world.register("anna")
        grant = anna.enrolled.grant
        assert grant.session.expires_at == world.clock.now() + 7 * DAY
        me = await world.run(api.who_am_i(anna.access_token))
        assert (me.device, me.session) == (anna.enrolled.device, grant.session.id)


async def test_an_access_token_ends_after_ten_minutes(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await world.register("anna")
        world.clock.advance(10 * MINUTE - 1000)
        await world.run(api.who_am_i(anna.access_token))
        world.clock.advance(1000)
        with pytest.raises(UnauthenticatedError):
            await world.run(api.who_am_i(anna.access_token))


async def test_a_new_password_ends_every_other_session_and_changes_the_client_key(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await world.register("anna")
        here = await world.log_in("anna", prover=anna.prover)
        there = await world.log_in("anna")
        assert here.answer.grant is not None
        assert there.answer.temporary_token is not None
        new = prepare("seven purple lanterns at dusk")
        answer = await world.run(
            account.change_password(here, "anna", new, to=world.recipient(), entropy=world.client_entropy)
        )
        assert answer.client_key != anna.enrolled.grant.client_key
        assert answer.seed_version == 2
        with pytest.raises(RefusedError):
            await world.enrol(there.answer.temporary_token, anna.keys)
        with pytest.raises(RefusedError):
            await world.log_in("anna", PASSWORD, prover=anna.prover)
        after = await world.log_in("anna", new, prover=anna.prover)
        assert after.open_chest().version == 2
        assert after.answer.grant is not None
        assert after.answer.grant.client_key == answer.client_key


async def test_the_recovery_key_opens_every_version_of_the_chest(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await world.register("anna")
        here = await world.log_in("anna", prover=anna.prover)
        new = prepare("seven purple lanterns at dusk")
        await world.run(
            account.change_password(here, "anna", new, to=world.recipient(), entropy=world.client_entropy)
        )
        row = await world.core.database.fetch_one(
            "select version, sealed, recovery_wrapped from chests natural join chest_keys", {}
        )
        assert row is not None
        version, sealed, wrapped = row
        assert isinstance(version, int)
        assert isinstance(sealed, str)
        assert isinstance(wrapped, str)
        chest = recover_chest(version, sealed, wrapped, anna.recovery)
        assert [generation for generation, _ in chest.archive] == [2, 1]
        assert chest.identity.seed() == here.open_chest().identity.seed()


async def test_an_ended_session_is_not_recognised_again(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await world.register("anna")
        token: Secret = anna.access_token
        await world.run(api.end_session(token, anna.enrolled.grant.session.id))
        with pytest.raises(UnauthenticatedError):
            await world.run(api.who_am_i(token))
