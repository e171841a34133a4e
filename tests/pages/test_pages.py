"""Every page: well formed, in the reader's language, usable with a keyboard and a screen reader, and inert."""

import asyncio
import itertools
import json
import re
import threading
from collections.abc import AsyncIterator

import pytest
from tests.kits.world import ORIGIN, World, open_world
from tests.pages.kit import Element, Reader, parse, reader_of

from watchword.core.ids import RequestId
from watchword.errors import ErrorCode, TooManyError, WatchwordError
from watchword.server.context import RequestContext
from watchword.server.http.endpoint import Request
from watchword.server.http.headers import Headers
from watchword.server.http.problem import KINDS
from watchword.server.pages import edge, making
from watchword.server.pages.catalogue import LANGUAGES, texts_of
from watchword.server.pages.moments import said_wait
from watchword.server.pages.views import ProfileView, SessionView

pytestmark = pytest.mark.anyio
PUBLIC = ["/login", "/login?return=/password", "/register", "/styleguide"]
OWN = ["/dashboard", "/password", "/nothing-here"]


@pytest.fixture
async def world(tmp_path) -> AsyncIterator[World]:
    async with open_world(tmp_path / "data", pages__styleguide="true") as opened:
        yield opened


async def all_pages(world: World, language: str) -> dict[str, str]:
    reader = await reader_of(world, await world.register("ada", display_name="Ada"), language=language)
    nobody = Reader(world=world, language=language)
    return {path: (await nobody.get(path)).text for path in PUBLIC} | {
        path: (await reader.get(path)).text for path in OWN
    }


def check_structure(path: str, page: Element, language: str) -> None:
    html = next(page.all("html"))
    assert html["lang"] == language, path
    assert next(page.all("title")).text.endswith(" · Watchword"), path
    assert [each["id"] for each in page.all("main")] == ["main"], path
    assert [len(list(page.all(tag))) for tag in ("header", "footer")] == [1, 1], path
    first = next(each for each in page.all("a"))
    assert (first["href"], first["class"]) == ("#main", "skip"), path


def check_headings(path: str, page: Element) -> None:
    shown = [each for each in visible(page) if re.fullmatch("h[1-6]", each.tag)]
    levels = [int(each.tag[1]) for each in shown]
    assert levels.count(1) == 1, path
    assert levels[0] == 1, path
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels)), path


def visible(element: Element):
    if "hidden" in element.attributes or element.tag == "noscript":
        return
    yield element
    for child in element.children:
        yield from visible(child)


def check_references(path: str, page: Element) -> None:
    ids = [each["id"] for each in page.all() if each["id"] is not None]
    assert len(ids) == len(set(ids)), path
    for each in page.all():
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls"):
            assert set((each[name] or "").split()) <= set(ids), (path, name, each[name])
    labelled = {each["for"] for each in page.all("label")}
    for each in page.all("input"):
        if each["type"] != "hidden":
            assert each["id"] in labelled, (path, each["name"])
            assert each["autocomplete"], (path, each["name"])
    for each in page.all("button"):
        assert each["type"] in {"submit", "button"}, path
        words = each.words().strip()
        assert words, path
        assert words in (each["aria-label"] or words), path  # who speaks to a browser says what is written
    for each in page.all("svg"):
        assert each["aria-hidden"] == "true", path


def check_inert(path: str, page: Element) -> None:
    """Nothing that the policy of pages would refuse, and nothing from elsewhere."""
    for each in page.all():
        assert each.tag not in {"style", "base", "iframe", "object", "embed"}, path
        assert not [name for name in each.attributes if name.startswith("on") or name == "style"], path
        for name in ("src", "href", "action"):
            target = each[name]
            assert target is None or target.startswith(("/", "#", ORIGIN)), (path, target)
        if each.tag == "script" and each["type"] == "module":
            assert (each["integrity"] or "").startswith("sha384-"), path
        if each.tag == "link" and each["rel"] == "stylesheet":
            assert (each["integrity"] or "").startswith("sha384-"), path


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_is_well_formed_labelled_and_inert(world, language):
    for path, text in (await all_pages(world, language)).items():
        page = parse(text)
        check_structure(path, page, language)
        check_headings(path, page)
        check_references(path, page)
        check_inert(path, page)


async def test_every_page_says_its_language_and_that_it_depends_on_the_reader(world):
    answer = await Reader(world=world, language="de-AT").get("/login")
    assert answer.headers["content-language"] == "de"
    assert "accept-language" in answer.headers["vary"].lower()
    assert "Anmelden" in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_forms_have_the_tokens_that_password_managers_look_for(world):
    nobody = Reader(world=world)

    async def tokens(path: str) -> dict[str | None, str | None]:
        page = parse((await nobody.get(path)).text)
        return {each["name"]: each["autocomplete"] for each in page.all("input")}

    assert await tokens("/login") == {"identifier": "username", "password": "current-password"}
    assert (await tokens("/register")).items() >= {
        "username": "username",
        "email": "email",
        "display_name": "name",
        "password": "new-password",
    }.items()


async def test_a_script_is_told_what_it_needs_and_nothing_that_could_end_its_block(world):
    page = await Reader(world=world).get("/login?return=/dashboard?a=1")
    blocks = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', page.text)
    found = {name: json.loads(text) for name, text in blocks}
    assert found["facts"]["returnPath"] == "/dashboard?a=1"
    assert found["facts"]["origin"] == ORIGIN
    assert found["facts"]["worker"].startswith("/assets/worker-")
    assert found["texts"]["problem.refused"] == texts_of("en").plain("problem.refused")
    assert not re.search(r"[<>&]", "".join(text for _, text in blocks))


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/%2f/evil.example", "javascript:x", ""],
)
async def test_fault_E23_a_return_path_to_elsewhere_becomes_the_dashboard(world, target):
    page = await Reader(world=world).get(f"/login?return={target}")
    facts = json.loads(re.findall(r'id="facts">(.*?)</script>', page.text)[0])
    assert facts["returnPath"] == "/dashboard"
    assert "evil" not in page.text


async def test_who_is_signed_in_has_nothing_to_do_at_the_door(world):
    reader = await reader_of(world, await world.register("ada"))
    for path, place in {
        "/": "/dashboard",
        "/login": "/dashboard",
        "/login?return=/password": "/password",
        "/login?return=//evil.example": "/dashboard",
        "/register": "/dashboard",
    }.items():
        answer = await reader.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, place)


async def test_registration_by_invitation_asks_for_one_first(tmp_path):
    async with open_world(tmp_path / "invite", registration="invite") as world:
        page = parse((await Reader(world=world).get("/register")).text)
    fields = [each for each in page.all("input") if each["name"] != "ending"]
    assert fields[0]["name"] == "invitation"
    assert "required" in fields[0]


async def test_closed_registration_says_who_can_help_and_shows_no_form(tmp_path):
    async with open_world(tmp_path / "closed", registration="closed") as world:
        answer = await Reader(world=world).get("/register")
        login = await Reader(world=world).get("/login")
    assert "ask them" in answer.text
    assert "<form" not in answer.text
    assert 'href="/register"' not in login.text


async def test_fault_N4_the_styleguide_is_there_only_where_it_is_wanted(tmp_path):
    async with open_world(tmp_path / "plain") as world:
        answer = await Reader(world=world).get("/styleguide")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?return=/styleguide")
        signed_in = await reader_of(world, await world.register("ada"))
        assert (await signed_in.get("/styleguide")).status_code == 404


async def test_a_form_that_posts_passwords_is_there_only_where_it_is_allowed(tmp_path):
    async with open_world(tmp_path / "plain") as world:
        assert "plain-form" not in (await Reader(world=world).get("/login")).text
    async with open_world(tmp_path / "allowed", pages__password_form="true") as world:
        page = parse((await Reader(world=world).get("/login")).text)
    inside = [each["id"] for scriptless in page.all("noscript") for each in scriptless.all("form")]
    assert inside == ["plain-form"]
    check_references("/login", page)


HOSTILE = [
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}{name}",
    "\u202eevil\u2066",
    "W" * 200,
    "😀" * 60,
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_fault_A15_what_people_and_clients_call_themselves_is_shown_as_text(world, text):
    maker = world.services.pages._maker
    profile = ProfileView(username=text, display_name=text, email=text, level=0, since=world.clock.now())
    session = SessionView(
        id="ses_x",
        name=text,
        browser=text,
        icon="desk",
        address=text,
        began_at=world.clock.now(),
        ends_at=world.clock.now(),
        current=True,
    )
    request = request_of(world)
    reply = maker.make(
        request, "dashboard", profile=profile, csrf="x", sessions=[session], others=0, events=[], done=None
    )
    page = parse(reply.body.decode())
    check_inert("/dashboard", page)
    assert [each.tag for each in page.all("img")] == []
    assert [each["type"] for each in page.all("script")] == []
    shown = [each for each in page.all("bdi") if each.text == text]
    assert len(shown) >= 6  # each where it stands alone, so that its direction stays its own
    assert "49" not in page.words().replace(str(world.clock.now()), "")


async def test_many_sessions_do_not_bury_what_ends_them(world):
    profile = ProfileView(username="ada", display_name=None, email=None, level=0, since=world.clock.now())
    now = world.clock.now()
    sessions = [
        SessionView(
            id=f"ses_{number}",
            name=f"device {number}",
            browser="",
            icon="desk",
            address="",
            began_at=now,
            ends_at=now,
            current=number == 0,
        )
        for number in range(9)
    ]
    reply = world.services.pages._maker.make(
        request_of(world),
        "dashboard",
        profile=profile,
        csrf="x",
        sessions=sessions,
        others=8,
        events=[],
        done=None,
    )
    page = parse(reply.body.decode())
    check_references("/dashboard", page)
    forms = [each["action"] for each in page.all("form")]
    assert forms.index("/dashboard/sessions/end-others") < forms.index("/dashboard/sessions/end")
    assert forms.count("/dashboard/sessions/end") == 9
    folded = next(each for each in page.all("details") if each["id"] == "more-sessions")
    assert [each.text for each in folded.all("bdi")] == [f"device {number}" for number in range(5, 9)]
    assert "Show 4 more" in folded.words()


async def test_what_is_advised_leads_to_what_ends_other_sessions(world):
    reader = await reader_of(world, await world.register("ada"))
    page = parse((await reader.get("/dashboard")).text)
    advised = [each["href"] for each in page.all("a") if (each["href"] or "").startswith("#")][1:]
    assert advised == ["#signing-out"]
    assert "signing-out" in {each["id"] for each in page.all("div")}


def request_of(world: World, language: str = "en") -> Request:
    """A request as the edge hands it on."""
    now = world.clock.now()
    context = RequestContext(
        request_id=RequestId.new(now, world.entropy),
        now=now,
        address="127.0.0.1",
        shown_address="127.0.0.1",
        user_agent="",
    )
    headers = Headers([(b"accept-language", language.encode())])
    return Request(context=context, headers=headers, path_parameters={}, query={})


@pytest.mark.parametrize("code", list(ErrorCode))
async def test_every_error_has_a_page_that_says_what_next_and_under_which_id(world, code):
    fault = type("Fault", (WatchwordError,), {"code": code})
    request = request_of(world)
    reply = world.services.pages.problem(request, fault("<secret detail>"))
    page = parse(reply.body.decode())
    assert reply.status == KINDS[code].status
    assert str(request.context.request_id) in page.words()
    assert "secret detail" not in reply.body.decode()
    check_headings("problem", page)
    if code is not ErrorCode.MISDIRECTED:
        check_structure("problem", page, "en")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("lasting", [False, True])
async def test_whoever_is_turned_away_is_told_once_for_how_long(world, language, lasting):
    """And where it has no end, no time; and no way that leads to the same page again."""
    request = request_of(world, language)
    error = TooManyError(86_400, reason="banned", lasting=lasting)
    page = parse(world.services.pages.problem(request, error).body.decode())
    texts = texts_of(language)
    wait = texts.plain("script.wait_hours", count=24)
    ends_not = texts.plain("error.too_many.next")
    assert (wait in page.words(), ends_not in page.words()) == (not lasting, lasting)
    assert [each["href"] for each in page.all("a") if "button" in (each["class"] or "")] == []


async def test_drawings_have_a_size_of_their_own(world):
    """Where the style does not arrive, one without would fill the window."""
    for path in ("/login", "/register"):
        page = parse((await Reader(world=world).get(path)).text)
        drawings = list(page.all("svg"))
        assert drawings
        assert all(each["width"] and each["height"] for each in drawings)


async def test_pages_of_errors_are_read_once_and_hold_nobody_up(world, monkeypatch):
    readers, may_end = [], threading.Event()

    def read_slowly() -> None:
        readers.append(threading.current_thread())
        assert may_end.wait(60)

    monkeypatch.setattr(edge, "load_problems", read_slowly)
    nobody = Reader(world=world)
    refused = [asyncio.create_task(nobody.get("/", host="canary.example")) for _ in range(3)]
    try:
        while not readers:
            await asyncio.sleep(0)
        assert (await world.call("GET", "/health/live")).status_code == 200
        assert not any(each.done() for each in refused)
    finally:
        may_end.set()
    assert [(await each).status_code for each in refused] == [421] * 3
    assert len(readers) == 1
    assert readers[0] is not threading.current_thread()


async def test_pages_of_errors_are_kept_without_the_id_of_anybodys_request(world, monkeypatch):
    """However many waits there are, in whatever language: each says its own id and its own wait, and so many stay."""
    monkeypatch.setattr(making, "_MOST_KEPT", 8)
    pages, seen = world.services.pages, set()
    for wait in (1, 2, 1, 30, 90, 3600, *range(1, 4000, 200)):
        for language in LANGUAGES:
            request = request_of(world, language)
            reply = pages.problem(request, TooManyError(wait, reason="banned"))
            seen.add(str(request.context.request_id))
            key, number = said_wait(wait)
            page = parse(reply.body.decode()).words()
            assert [each for each in seen if each in page] == [str(request.context.request_id)]
            assert texts_of(language).plain(key, count=number) in page
            assert reply.headers["content-language"] == language
    assert 0 < len(pages._maker._problems) <= 8


@pytest.mark.parametrize("language", LANGUAGES)
async def test_fault_A10_people_at_a_wrong_host_are_told_the_right_one(world, language):
    """Nothing of what they sent is repeated, and nothing is loaded, since nothing of ours is at that host."""
    nobody = Reader(world=world, language=language)
    for path in ("/", "/login?return=/canary", "/canary", "//canary"):
        for host in ("192.168.1.20:8443", "canary.example", "localhost.canary.example"):
            answer = await nobody.get(path, host=host)
            page = parse(answer.text)
            assert (answer.status_code, answer.headers["content-language"]) == (421, language)
            assert [each["href"] for each in page.all("a")] == [f"{ORIGIN}/"]
            assert [each.tag for each in page.all() if each["src"] or each.tag in {"link", "script"}] == []
            assert texts_of(language).plain("error.misdirected.title") in page.words()
            assert answer.headers["x-request-id"] in page.words()
            assert not {"canary", "192.168"} & set(re.findall("canary|192.168", answer.text))
    assert (await nobody.get("/", host="a@b")).status_code == 400
    programs = await world.call("GET", "/login", headers={"host": "canary.example"})
    assert (programs.status_code, programs.headers["content-type"]) == (421, "application/problem+json")
    check_inert("problem", page)


async def test_an_error_page_comes_in_the_readers_language(world):
    reader = await reader_of(world, await world.register("ada"), language="de")
    answer = await reader.get("/nothing-here")
    assert answer.status_code == 404
    assert "Hier ist nichts" in answer.text
    assert answer.headers["content-language"] == "de"


async def test_the_way_on_is_kept_between_signing_in_and_registering(world):
    nobody = Reader(world=world)
    for here, there in (("/login", "/register"), ("/register", "/login")):
        text = (await nobody.get(f"{here}?return=/some/app?a=1%26b=2")).text
        assert f'href="{there}?return=/some/app%3Fa%3D1%26b%3D2"' in text
        assert '"returnPath":"/some/app?a=1\\u0026b=2"' in text
        for bare in (here, f"{here}?return=//evil.example"):
            assert f'href="{there}"' in (await nobody.get(bare)).text
    signed_in = await reader_of(world, await world.register("ada"))
    assert (await signed_in.get("/register?return=/some/app")).headers["location"] == "/some/app"
