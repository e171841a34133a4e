"""The account's page and its forms: what is shown, what ends, and that doing it twice does no harm."""

import dataclasses
from collections.abc import AsyncIterator

import pytest
from tests.kits.world import World, open_world
from tests.pages.kit import Reader, account_of, parse, reader_of, session_of

from watchword.client.flows.account import DeviceKeys
from watchword.server.http.admission import Admission

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path) -> AsyncIterator[World]:
    async with open_world(tmp_path / "data") as opened:
        yield opened


async def second_browser(world: World, person) -> Reader:
    """Another device of the same account, signed in."""
    again = await world.log_in(person.username)
    assert again.answer.temporary_token is not None
    enrolled = await world.enrol(again.answer.temporary_token, DeviceKeys.generate(world.client_entropy))
    return await reader_of(world, dataclasses.replace(person, enrolled=enrolled))


async def live(world: World, person) -> int:
    return len(await world.services.sessions.list_live(account_of(person), world.clock.now()))


async def test_the_account_page_shows_who_it_is_where_and_what_happened(world):
    person = await world.register("ada", email="ada@example.org", display_name="Ada Lovelace")
    page = parse((await (await reader_of(world, person)).get("/dashboard")).text)
    words = " ".join(page.words().split())
    for said in ("Hello, Ada Lovelace", "ada@example.org", "a test's device", "This browser", "127.0.0.1"):
        assert said in words
    assert "Your account was made" in words
    assert "You are signed in nowhere else." in words


async def test_where_there_is_no_room_the_account_page_says_when_to_come_back(world):
    reader = await reader_of(world, await world.register("ada"))
    steps = dataclasses.replace(world.app.steps, admission=(admission := Admission(slots=1, queue=0)))
    world.app = dataclasses.replace(world.app, steps=steps)
    async with admission:
        answer = await reader.get("/dashboard")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "text/html" in answer.headers["content-type"]
        assert (await Reader(world=world).get("/dashboard")).status_code == 303
    assert (await reader.get("/dashboard")).status_code == 200


async def test_signing_out_ends_the_session_and_forgets_the_cookie(world):
    reader = await reader_of(world, person := await world.register("ada"))
    answer = await reader.submit("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?done=signed-out")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert await live(world, person) == 0
    assert (await reader.get("/dashboard")).headers["location"] == "/login?return=/dashboard"
    assert "You are signed out." in (await reader.arrive("/login?done=signed-out")).text


async def test_one_session_of_several_can_be_ended_and_twice_does_no_harm(world):
    person = await world.register("ada")
    here, there = await reader_of(world, person), await second_browser(world, person)
    for _ in range(2):
        answer = await there.submit("/dashboard/sessions/end", session=str(session_of(person)))
        assert answer.headers["location"] == "/dashboard?done=session-ended"
        assert "set-cookie" not in answer.headers
    assert (await here.get("/dashboard")).status_code == 303
    assert "That session has ended." in (await there.arrive("/dashboard?done=session-ended")).text


async def test_ending_the_session_in_use_is_signing_out(world):
    person = await world.register("ada")
    reader = await reader_of(world, person)
    answer = await reader.submit("/dashboard/sessions/end", session=str(session_of(person)))
    assert answer.headers["location"] == "/login?done=signed-out"
    assert "Max-Age=0" in answer.headers["set-cookie"]


async def test_everywhere_else_is_signed_out_but_not_here(world):
    person = await world.register("ada")
    here, there = await reader_of(world, person), await second_browser(world, person)
    assert "One other session ends at once." in (await here.get("/dashboard")).text
    answer = await here.submit("/dashboard/sessions/end-others")
    assert answer.headers["location"] == "/dashboard?done=others-ended"
    assert (await here.get("/dashboard")).status_code == 200
    assert (await there.get("/dashboard")).status_code == 303


async def test_everywhere_is_signed_out_here_too(world):
    person = await world.register("ada")
    here, there = await reader_of(world, person), await second_browser(world, person)
    answer = await here.submit("/dashboard/sessions/end-all")
    assert answer.headers["location"] == "/login?done=signed-out-everywhere"
    assert {(await reader.get("/dashboard")).status_code for reader in (here, there)} == {303}


async def test_a_session_of_somebody_else_is_not_ended_and_nothing_tells_that_it_is_there(world):
    ada, eve = await world.register("ada"), await world.register("eve")
    reader = await reader_of(world, eve)
    answer = await reader.submit("/dashboard/sessions/end", session=str(session_of(ada)))
    unknown = await reader.submit("/dashboard/sessions/end", session="ses_" + "0" * 26)
    assert (answer.status_code, answer.headers["location"]) == (
        unknown.status_code,
        unknown.headers["location"],
    )
    assert await live(world, ada) == 1


@pytest.mark.parametrize(
    "path",
    ["/logout", "/dashboard/sessions/end", "/dashboard/sessions/end-others", "/dashboard/sessions/end-all"],
)
async def test_fault_A13_a_form_without_the_sessions_own_token_does_nothing(world, path):
    ada, eve = await world.register("ada"), await world.register("eve")
    reader, other = await reader_of(world, ada), await reader_of(world, eve)
    caller = await world.services.sessions.list_live(account_of(eve), world.clock.now())
    stolen = world.services.cookies.csrf_token(caller[0])
    more = {"session": str(session_of(ada))} if path.endswith("/end") else {}
    for token in ("", "wbf_", stolen):
        answer = await reader.post(path, {"csrf": token, **more})
        assert answer.status_code == 403
        assert "Nothing was changed" in answer.text
    assert (await reader.post(path, more)).status_code == 400  # no token at all
    assert await live(world, ada) == 1
    assert (await other.get("/dashboard")).status_code == 200


async def test_a_form_of_somebody_who_is_not_signed_in_leads_to_signing_in(world):
    answer = await Reader(world=world).post("/logout", {"csrf": "x"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


async def test_a_session_that_is_no_session_is_not_found(world):
    reader = await reader_of(world, await world.register("ada"))
    answer = await reader.submit("/dashboard/sessions/end", session="<script>")
    assert answer.status_code == 404
    assert "script>" not in answer.text.replace("<script type", "").replace("</script>", "")


async def test_a_word_that_no_form_says_is_not_shown(world):
    reader = await reader_of(world, await world.register("ada"))
    for word in ("you-have-won", "<b>", "signed-out%0d%0a"):
        page = await reader.arrive(f"/dashboard?done={word}")
        assert page.status_code == 200
        assert 'id="done"' not in page.text


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
@pytest.mark.parametrize("path", ["/login?done=signed-out", "/dashboard?done=password-changed"])
async def test_nobody_elses_link_claims_what_was_never_done(world, site, path):
    person = await world.register("ada")
    reader = await reader_of(world, person) if path.startswith("/dashboard") else Reader(world=world)
    headers = {"sec-fetch-site": site} if site else {}
    assert 'id="done"' not in (await reader.get(path, **headers)).text
    assert 'id="done"' in (await reader.arrive(path)).text


async def test_the_page_to_change_the_password_knows_who_it_is_for(world):
    reader = await reader_of(world, await world.register("ada", email="ada@example.org"))
    page = parse((await reader.get("/password")).text)
    fields = {each["name"]: each for each in page.all("input") if each["name"] != "csrf"}
    assert {name: each["autocomplete"] for name, each in fields.items()} == {
        "username": "username",
        "current": "current-password",
        "next": "new-password",
    }
    assert fields["username"]["value"] == "ada"
