"""The form for browsers without scripts: the server takes the client's part, and nothing else is different."""

import asyncio
import logging
import re
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from tests.kits.sealed import OPERATOR, everything_stored, try_login
from tests.kits.world import ORIGIN, PASSWORD, Person, World, open_world

from watchword.core.clock import MINUTE
from watchword.core.encoding import decode_json
from watchword.core.ids import AccountId
from watchword.core.secret import Secret
from watchword.crypto.passwords import StretchParams, stretch
from watchword.errors import OverloadedError
from watchword.server.db.unit import Unit
from watchword.server.guessing.delays import FREE
from watchword.server.pages import stand_in
from watchword.server.pages.stand_in import DEVICE_NAME, MOST_MEMORY_KIB, MOST_PASSES, PLACES

pytestmark = pytest.mark.anyio
_FORM = {
    "content-type": "application/x-www-form-urlencoded",
    "accept": "text/html",
    "origin": ORIGIN,
    "user-agent": "w3m/0.5",
}
CANARY = "canary password 4711"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path, pages__password_form="true") as opened:
        yield opened


async def send(
    world: World, identifier: str, password: str, return_path: str = "", **headers: str
) -> httpx.Response:
    fields = {"identifier": identifier, "password": password, "return": return_path}
    return await world.call(
        "POST", "/login", headers={**_FORM, **headers}, content=urlencode(fields).encode()
    )


async def entries(world: World) -> list[tuple[str, str]]:
    """Tag and reason of each audit entry, without the server's own."""
    found = [
        (entry.tag, str(decode_json(entry.facts.encode()).get("reason", "")))
        for entry in await world.core.audit.tail(1000)
    ]
    return [each for each in found if not each[0].startswith(("server:", "operator:keys"))]


def without_what_differs(page: str) -> str:
    return re.sub(r'req_[0-9a-z]{26}|value="[^"]*"', "", page)


async def test_the_form_signs_in_and_goes_on(world: World) -> None:
    anna = await world.register("anna")
    before = len(await entries(world))
    answer = await send(world, "Anna", PASSWORD, "/password")
    assert (answer.status_code, answer.headers["location"]) == (303, "/password")
    cookie = answer.headers["set-cookie"].partition(";")[0]
    page = await world.call("GET", "/dashboard", headers={"accept": "text/html", "cookie": cookie})
    assert page.status_code == 200
    assert "anna" in page.text
    assert await entries(world) == [
        *(await entries(world))[:before],
        ("account:session:login", ""),
        ("account:device:enrol", ""),
    ]
    account = AccountId.parse(anna.enrolled.account.id)
    live = await world.services.sessions.list_live(account, world.clock.now())
    live.sort(key=lambda session: session.device_name == DEVICE_NAME)
    assert [one.device_name for one in live] == ["a test's device", DEVICE_NAME]
    assert live[-1].user_agent == "w3m/0.5"


@pytest.mark.parametrize("name", ["anna", "nobody"])
async def test_fault_D17_the_form_is_held_up_by_the_lane_of_the_account_before_it_stretches(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: list[StretchParams] = []
    await world.register("anna")
    monkeypatch.setattr(stand_in, "stretch", noting(worked))
    for _ in range(FREE - 1):
        assert (await try_login(world, name)).status_code == 403
    assert (await send(world, name, "wrong")).status_code == 403
    held = await send(world, name, PASSWORD)
    assert (held.status_code, held.headers["retry-after"]) == (429, "30")
    assert held.headers["content-type"].startswith("text/html")
    assert "set-cookie" not in held.headers
    assert len(worked) == 1
    assert world.services.guesses.held == {"device": 0, "strangers": 1}


async def test_a_browser_that_signs_in_again_has_one_session(world: World) -> None:
    anna, ben = await world.register("anna"), await world.register("ben")
    first, others = await send(world, "anna", PASSWORD), await send(world, "ben", PASSWORD)
    old = cookie_of(first)
    assert await sessions_of(world, anna) == 2
    for refused in ("wrong", ""):
        assert (await send(world, "anna", refused, cookie=old)).status_code == 403
    assert (await send(world, "anna", PASSWORD, cookie=cookie_of(others))).status_code == 303
    assert (await sessions_of(world, anna), await sessions_of(world, ben)) == (3, 2)
    before = len(await entries(world))
    again = await send(world, "anna", PASSWORD, cookie=old)
    assert await sessions_of(world, anna) == 3
    assert [tag for tag, _ in (await entries(world))[before:]] == [
        "account:session:login",
        "account:session:end",
        "account:device:enrol",
    ]
    opened = [
        await world.call("GET", "/dashboard", headers={"accept": "text/html", "cookie": cookie})
        for cookie in (old, cookie_of(again))
    ]
    assert [page.status_code for page in opened] == [303, 200]
    assert (await send(world, "anna", PASSWORD, cookie=old)).status_code == 303  # it has ended long ago
    assert await sessions_of(world, anna) == 4


def cookie_of(answer: httpx.Response) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


async def sessions_of(world: World, person: Person) -> int:
    account = AccountId.parse(person.enrolled.account.id)
    return len(await world.services.sessions.list_live(account, world.clock.now()))


@pytest.mark.parametrize(
    "return_path", ["", "//evil.example", "https://evil.example", "/a/../b", "/login", "/\\evil"]
)
async def test_a_return_path_that_is_none_leads_to_the_dashboard(world: World, return_path: str) -> None:
    await world.register("anna")
    assert (await send(world, "anna", PASSWORD, return_path)).headers["location"] == "/dashboard"


async def test_every_refusal_is_the_same_page_after_the_same_work(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("anna", "dora"):
        await world.register(name)
    await world.services.operator.suspend("dora", OPERATOR)
    worked: list[StretchParams] = []
    monkeypatch.setattr(stand_in, "stretch", noting(worked))
    before = len(await entries(world))
    tried = [
        ("anna", "wrong"),
        ("nobody", PASSWORD),
        ("dora", PASSWORD),
        ("anna", f"{PASSWORD}\t"),
        ("anna", ""),
    ]
    answers = [await send(world, *each, "/password") for each in tried]
    assert {answer.status_code for answer in answers} == {403}
    assert len({without_what_differs(answer.text) for answer in answers}) == 1
    assert all("set-cookie" not in answer.headers for answer in answers)
    assert worked == [StretchParams()] * len(tried)
    refused = "account:session:login-refused"
    reasons = ["wrong_secret", "unknown_name", "suspended", "wrong_secret", "wrong_secret"]
    assert (await entries(world))[before:] == [(refused, reason) for reason in reasons]
    for (name, _), answer in zip(tried, answers, strict=True):
        assert f'value="{name}"' in answer.text
        assert 'value="/password"' in answer.text


async def test_fault_C22_the_password_is_kept_and_shown_nowhere(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await world.register("anna", CANARY)
    answers = [
        await send(world, "anna", CANARY),
        await send(world, "nobody", CANARY),
        await send(world, CANARY, CANARY + "!"),
        await send(world, "anna", CANARY, origin="https://evil.example"),
        await world.call("POST", "/login", headers=_FORM, content=urlencode({"password": CANARY}).encode()),
        await world.call(
            "POST", "/login", headers=_FORM, content=f"{urlencode({'password': CANARY})}&x=%ff".encode()
        ),
        await world.call(
            "POST",
            f"/login?password={CANARY.replace(' ', '+')}",
            headers=_FORM,
            content=b"identifier=a&password=b",
        ),
    ]
    assert [answer.status_code for answer in answers] == [303, 403, 403, 403, 400, 400, 403]
    shown = [answer.text.replace(f'value="{CANARY}"', "") + str(answer.headers) for answer in answers]
    lines = [str(vars(record)) for record in caplog.records if not record.name.startswith("http")]
    assert len([line for line in lines if "http.request" in line]) >= len(answers)
    stored = await everything_stored(world)
    for text in (*shown, *lines, stored):
        for spelling in (CANARY, CANARY.replace(" ", "+"), CANARY.replace(" ", "%20")):
            assert spelling not in text
    for file in tmp_path.glob("watchword.db*"):
        assert CANARY.encode() not in file.read_bytes()


async def test_fault_C22_where_it_is_not_allowed_nothing_is_read_or_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        raise AssertionError("the body is asked for")

    async def take(message: dict[str, object]) -> None:
        sent.append(message)

    async with open_world(tmp_path) as world:
        assert CANARY not in (await send(world, "anna", CANARY)).text
        headers = {**_FORM, "host": "localhost:8443", "content-length": "100"}
        scope = {
            "type": "http",
            "method": "POST",
            "raw_path": b"/login",
            "path": "/login",
            "query_string": b"",
            "scheme": "https",
            "client": ("127.0.0.1", 40000),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await world.app(scope, receive, take)
        page = (await world.call("GET", "/login", headers={"accept": "text/html"})).text
    assert sent[0]["status"] == 405
    assert "plain-form" not in page
    lines = [str(vars(record)) for record in caplog.records if not record.name.startswith("http")]
    refused = [line for line in lines if "http.request" in line and "method_not_allowed" in line]
    assert len(refused) == 2
    assert not any(CANARY in line or CANARY.replace(" ", "+") in line for line in lines)


async def test_without_a_place_it_is_said_when_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object) -> Secret:
        raise OverloadedError(7)

    monkeypatch.setattr(stand_in, "stretch", full)
    answer = await send(world, "anna", PASSWORD)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert "text/html" in answer.headers["content-type"]
    assert PASSWORD not in answer.text


async def test_more_forms_than_places_are_turned_away_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def waiting(*_given: object) -> Secret:
        go_on.wait()
        return Secret(bytes(32))

    monkeypatch.setattr(stand_in, "stretch", waiting)
    try:
        forms = [asyncio.create_task(send(world, "anna", PASSWORD)) for _ in range(PLACES + 3)]
        done, waiting_still = await asyncio.wait(forms, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < 3:
            more, waiting_still = await asyncio.wait(waiting_still, return_when=asyncio.FIRST_COMPLETED)
            done |= more
        assert [form.result().status_code for form in done] == [503] * 3
    finally:
        go_on.set()
    assert [(await form).status_code for form in waiting_still] == [403] * PLACES
    assert (await send(world, "anna", PASSWORD)).status_code == 403


async def test_a_short_key_that_ran_out_in_the_queue_is_asked_for_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.register("anna")
    waits = [2 * MINUTE, 0]

    def slow(password: Secret, salt: bytes, params: StretchParams) -> Secret:
        world.clock.advance(waits.pop(0))
        return stretch(password, salt, params)

    monkeypatch.setattr(stand_in, "stretch", slow)
    assert (await send(world, "anna", PASSWORD)).status_code == 303
    assert waits == []


@pytest.mark.parametrize(
    ("params", "computed"),
    [
        (StretchParams(), True),
        (StretchParams(memory_kib=MOST_MEMORY_KIB, passes=MOST_PASSES), True),
        (StretchParams(memory_kib=MOST_MEMORY_KIB + 1), False),
        (StretchParams(passes=MOST_PASSES + 1), False),
        (StretchParams.CEILING, False),
    ],
)
async def test_nobody_makes_the_server_stretch_without_end(
    world: World, monkeypatch: pytest.MonkeyPatch, params: StretchParams, computed: bool
) -> None:
    await world.register("anna")
    unit = Unit(key=b"test")
    unit.add(
        "update logins set memory_kib = :memory_kib, passes = :passes, lanes = :lanes",
        {"memory_kib": params.memory_kib, "passes": params.passes, "lanes": params.lanes},
    )
    await world.core.database.commit(unit)
    worked: list[StretchParams] = []

    def unstretched(_password: Secret, _salt: bytes, asked: StretchParams) -> Secret:
        worked.append(asked)
        return Secret(bytes(32))

    monkeypatch.setattr(stand_in, "stretch", unstretched)
    assert (await send(world, "anna", PASSWORD)).status_code == 403
    assert worked == [params if computed else StretchParams()]


def noting(worked: list[StretchParams]) -> Callable[[Secret, bytes, StretchParams], Secret]:
    def noted(password: Secret, salt: bytes, params: StretchParams) -> Secret:
        worked.append(params)
        return stretch(password, salt, params)

    return noted
