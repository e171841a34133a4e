"""docs/protocol/browser.md: who gets a cookie, what it opens, and when it ends; against a whole server."""

import hmac
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.kits.sealed import (
    OPERATOR,
    SignedIn,
    enrol_payload,
    everything_stored,
    log_in_as,
    login_payload,
    make_member,
    post,
    seal,
    short_key,
    sign_in,
    try_login,
)
from tests.kits.world import World, open_world

from watchword.client.flows.account import DeviceKeys
from watchword.client.flows.sealed import Prover
from watchword.core.clock import DAY, SECOND
from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.core.ids import RequestId
from watchword.crypto.keyring import DataKeyPurpose
from watchword.errors import ForbiddenError, UnauthenticatedError
from watchword.protocol.envelope import Purpose
from watchword.server.context import RequestContext
from watchword.server.db.unit import Unit
from watchword.server.http import Reply
from watchword.server.http.endpoint import Request
from watchword.server.http.headers import Headers
from watchword.server.sessions.cookie import COOKIE
from watchword.server.sessions.identify import Caller

pytestmark = pytest.mark.anyio
COOKIE_FORM = re.compile(
    rf"{COOKIE}=(wbs_[A-Za-z0-9_-]{{64}}); Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=([0-9]+)"
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as found:
        yield found


def cookie_of(answer: httpx.Response) -> str:
    found = COOKIE_FORM.fullmatch(answer.headers["set-cookie"])
    assert found, answer.headers["set-cookie"]
    return found[1]


async def log_in(world: World, anna: SignedIn, **changes: Any) -> httpx.Response:
    """From her device, as a browser unless `changes` say otherwise."""
    member = anna.member
    return await try_login(
        world, member.name, member.login_secret, prover=anna.prover, **{"browser": True, **changes}
    )


async def enrol(world: World, credential: str, keys: DeviceKeys, **changes: Any) -> httpx.Response:
    payload = enrol_payload(world, credential, keys, **{"browser": True, **changes})
    envelope = seal(world, Purpose.ENROL, payload)
    return await post(world, Purpose.ENROL, envelope, prover=Prover(key=keys.signing, device_id=None))


def request_with(world: World, header: str | None) -> Request:
    """What the edge hands to whoever identifies the caller."""
    raw = [] if header is None else [(b"cookie", header.encode("latin-1"))]
    now = world.clock.now()
    context = RequestContext(
        request_id=RequestId.new(now, world.entropy),
        now=now,
        address="127.0.0.1",
        shown_address="127.0.0.1",
        user_agent="",
    )
    return Request(context=context, headers=Headers(raw), path_parameters={}, query={})


async def identify(world: World, header: str | None) -> Caller:
    return await world.services.cookies.identify(request_with(world, header))


async def refusal(world: World, header: str | None) -> str:
    """Why nobody is known by this `Cookie`."""
    with pytest.raises(UnauthenticatedError) as refused:
        await identify(world, header)
    return refused.value.reason


async def test_a_login_from_a_proven_device_gives_the_session_as_a_cookie_when_asked(world: World) -> None:
    anna = await sign_in(world, "anna")
    answer = await log_in(world, anna)
    assert answer.status_code == 200
    found = COOKIE_FORM.fullmatch(answer.headers["set-cookie"])
    assert found is not None
    assert int(found[2]) == 7 * DAY // SECOND
    caller = await identify(world, f"{COOKIE}={cookie_of(answer)}")
    assert str(caller.account.id) == anna.member.registered.account.id
    assert str(caller.session.device_id) == anna.enrolled.device


async def test_an_enrolment_gives_the_cookie_and_its_repetition_gives_it_again(world: World) -> None:
    member = await make_member(world, "anna")
    keys = DeviceKeys.generate(world.client_entropy)
    first = await enrol(world, member.registered.temporary_token, keys)
    assert first.status_code == 201
    again = await enrol(world, member.registered.temporary_token, keys)
    assert (again.status_code, cookie_of(again)) == (201, cookie_of(first))
    later_one = await enrol(world, member.registered.temporary_token, keys, browser=False)
    assert "set-cookie" not in later_one.headers
    stranger = DeviceKeys.generate(world.client_entropy)
    refused = await enrol(world, member.registered.temporary_token, stranger)
    assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)


async def test_nobody_gets_a_cookie_who_did_not_ask_or_did_not_get_in(world: World) -> None:
    anna, bob = await sign_in(world, "anna"), await sign_in(world, "bob")
    name, secret = anna.member.name, anna.member.login_secret
    key = await short_key(world, name)
    envelope = seal(world, Purpose.LOGIN, login_payload(world, name, secret, browser=True), sk=key)
    answers = {
        "did not ask": (await log_in(world, anna, browser=False), 200),
        "no device": (await try_login(world, name, secret, browser=True), 200),
        "wrong secret": (await try_login(world, name, prover=anna.prover, browser=True), 403),
        "nobody": (await try_login(world, "nobody", browser=True), 403),
        "another's device": (await try_login(world, name, secret, prover=bob.prover, browser=True), 403),
        "no yes or no": (await try_login(world, name, secret, prover=anna.prover, browser="yes"), 403),
        "its first use": (await post(world, Purpose.LOGIN, envelope), 200),
        "a replay": (await post(world, Purpose.LOGIN, envelope, prover=anna.prover), 403),
    }
    for what, (answer, status) in answers.items():
        assert (answer.status_code, "set-cookie" in answer.headers) == (status, False), what
    me = await world.call("GET", "/api/me", token=bob.token)
    asked = {"audience": "https://app.example.org", "bearer": True}
    issued = await world.call("POST", "/api/tokens", asked, token=bob.token)
    assert (me.status_code, issued.status_code) == (200, 201)
    assert "set-cookie" not in {*me.headers, *issued.headers}


async def test_the_api_takes_no_cookie_for_a_token(world: World) -> None:
    anna = await sign_in(world, "anna")
    value = cookie_of(await log_in(world, anna))
    cookie = {"cookie": f"{COOKIE}={value}", "accept": "text/html"}
    for method, path in [("GET", "/api/me"), ("GET", "/api/sessions"), ("DELETE", "/api/sessions")]:
        answer = await world.call(method, path, headers=cookie)
        bare = await world.call(method, path)
        assert answer.status_code == 401
        assert {**answer.json(), "request_id": ""} == {**bare.json(), "request_id": ""}
    for text in (value, value.removeprefix("wbs_")):
        assert (await world.call("GET", "/api/me", token=text)).status_code == 401
    assert (await identify(world, f"{COOKIE}={value}")).account.username == "anna"


async def test_no_token_is_taken_for_a_cookie(world: World) -> None:
    anna = await sign_in(world, "anna")
    grant = anna.enrolled.grant
    for text in (grant.access_token, grant.sign_in_token, grant.sign_in_token.replace("wsi_", "wbs_")):
        assert await refusal(world, f"{COOKIE}={text}") in {"cookie_form", "cookie_forged"}


async def test_a_session_whose_key_is_gone_leads_to_signing_in(world: World) -> None:
    anna = await sign_in(world, "anna")
    cookie = f"{COOKIE}={cookie_of(await log_in(world, anna))}"
    unit = Unit(key=b"test")
    unit.add("update sessions set sign_in_version = 9", {})
    await world.core.database.commit(unit)
    assert await refusal(world, cookie) == "unknown_key"
    headers = {"cookie": cookie, "accept": "text/html"}
    assert (await world.call("GET", "/login", headers=headers)).status_code == 200
    assert (await world.call("GET", "/dashboard", headers=headers)).status_code == 303


async def test_each_reason_for_which_a_cookie_opens_nothing(world: World) -> None:
    anna, bob = await sign_in(world, "anna"), await sign_in(world, "bob")
    value = cookie_of(await log_in(world, anna))
    whole = decode_b64u(value.removeprefix("wbs_"))
    others = decode_b64u(cookie_of(await log_in(world, bob)).removeprefix("wbs_"))
    caller = await identify(world, f"{COOKIE}={value}")
    form = world.services.cookies.csrf_token(caller.session).removeprefix("wbf_")
    nobody = encode_b64u(bytes(16) + whole[16:])
    flipped = encode_b64u(whole[:-1] + bytes([whole[-1] ^ 1]))
    for header, reason in {
        None: "no_cookie",
        "": "no_cookie",
        "other=1": "no_cookie",
        f"{COOKIE.lower()}={value}": "no_cookie",
        f"watchword={value}": "no_cookie",
        f"{COOKIE}": "cookie_form",
        f"{COOKIE}=": "cookie_form",
        f"{COOKIE}={value}=": "cookie_form",
        f'{COOKIE}="{value}"': "cookie_form",
        f"{COOKIE}={value.removeprefix('wbs_')}": "cookie_form",
        f"{COOKIE}={value[:-1]}": "cookie_form",
        f"{COOKIE}={value}A": "cookie_form",
        f"{COOKIE}={value[:-1]}\xe4": "cookie_form",
        f"{COOKIE}={value}; {COOKIE}={value}": "cookie_twice",
        f"{COOKIE}=x; a=b; {COOKIE}={value}": "cookie_twice",
        f"{COOKIE}=wbs_{nobody}": "session_unknown",
        f"{COOKIE}=wbs_{flipped}": "cookie_forged",
        f"{COOKIE}=wbs_{encode_b64u(whole[:16] + others[16:])}": "cookie_forged",
        f"{COOKIE}=wbs_{encode_b64u(whole[:16] + decode_b64u(form))}": "cookie_forged",
    }.items():
        assert await refusal(world, header) == reason, header
    for header in (f"a=b; {COOKIE}={value}; c", f"{COOKIE}={value};", f"__host-watchword=x;{COOKIE}={value}"):
        assert (await identify(world, header)).session.id == caller.session.id


async def test_a_cookie_ends_with_its_session_wherever_that_is_ended(world: World) -> None:
    anna, bob = await sign_in(world, "anna"), await sign_in(world, "bob")

    async def cookie(who: SignedIn) -> str:
        return f"{COOKIE}={cookie_of(await log_in(world, who))}"

    first, second = await cookie(anna), await cookie(anna)
    assert await refusal(world, first) == "session_ended", "a device has one session"
    await identify(world, second)
    granted = (await log_in_as(world, anna.member, prover=anna.prover)).grant
    assert granted is not None
    assert await refusal(world, second) == "session_ended", "the same device, as no browser"
    third = await cookie(bob)
    caller = await identify(world, third)
    await world.services.operator.suspend("bob", OPERATOR)
    assert await refusal(world, third) == "session_ended"
    assert caller.session.id != (await identify(world, await cookie(anna))).session.id


async def test_a_cookie_is_good_until_its_session_ends_and_not_at_that_instant(world: World) -> None:
    anna = await sign_in(world, "anna")
    cookie = f"{COOKIE}={cookie_of(await log_in(world, anna))}"
    world.clock.advance(7 * DAY - 1)
    await identify(world, cookie)
    world.clock.advance(1)
    assert await refusal(world, cookie) == "session_ended"


async def test_max_age_says_what_the_session_still_has(world: World) -> None:
    member = await make_member(world, "anna")
    keys = DeviceKeys.generate(world.client_entropy)
    await enrol(world, member.registered.temporary_token, keys)
    world.clock.advance(10 * 60 * SECOND)
    again = await enrol(world, member.registered.temporary_token, keys)
    found = COOKIE_FORM.fullmatch(again.headers["set-cookie"])
    assert found is not None
    assert int(found[2]) == 7 * DAY // SECOND - 600


async def test_a_form_token_is_one_sessions(world: World) -> None:
    anna, bob = await sign_in(world, "anna"), await sign_in(world, "bob")
    cookies = world.services.cookies
    one = (await identify(world, f"{COOKIE}={cookie_of(await log_in(world, anna))}")).session
    other = (await identify(world, f"{COOKIE}={cookie_of(await log_in(world, bob))}")).session
    token = cookies.csrf_token(one)
    cookies.check_csrf(one, token)
    cookie_tag = cookies.set_cookie(one, world.clock.now()).split("=wbs_")[1][21:64]
    for text in (
        "",
        "x",
        token[:-1],
        token + "A",
        f"wbf_{cookie_tag}",
        "wbf_\ud7ff",
        cookies.csrf_token(other),
    ):
        with pytest.raises(ForbiddenError):
            cookies.check_csrf(one, text)
    renewed = replace(one, seed=bytes(32))
    with pytest.raises(ForbiddenError):
        cookies.check_csrf(renewed, token)


async def test_a_cookie_is_the_form_that_is_written_down(world: World) -> None:
    """docs/protocol/browser.md, section 2, made here by hand."""
    anna = await sign_in(world, "anna")
    value = cookie_of(await log_in(world, anna))
    session = (await identify(world, f"{COOKIE}={value}")).session
    data_key = world.core.keys.data.get(DataKeyPurpose.SIGN_IN, session.sign_in_version)
    for label, made in {
        b"browser/cookie": value,
        b"browser/form": world.services.cookies.csrf_token(session),
    }.items():
        key = hkdf(data_key.reveal(), b"watchword/v1/" + label + b"\0")
        message = b"\0\0\0\x10" + session.id.value + b"\0\0\0\x20" + session.seed
        assert decode_b64u(made[4:])[-32:] == hmac.digest(key, message, "sha256")


def hkdf(key: bytes, info: bytes) -> bytes:
    """RFC 5869 for one block, without salt."""
    return hmac.digest(hmac.digest(bytes(32), key, "sha256"), info + b"\x01", "sha256")


async def test_forgetting_a_cookie_is_the_cookie_with_nothing_in_it(world: World) -> None:
    cleared = world.services.cookies.clear_cookie()
    assert cleared == f"{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"


async def test_a_cookie_is_shown_nowhere_but_in_its_answer(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    anna = await sign_in(world, "anna")
    answer = await log_in(world, anna)
    value = cookie_of(answer)
    await world.call("GET", "/api/me", headers={"cookie": f"{COOKIE}={value}"})
    await world.call("GET", "/api/nowhere", headers={"cookie": f"{COOKIE}={value}", "accept": "text/html"})
    reply = Reply(200, b"", {"set-cookie": value})
    request = request_with(world, f"{COOKIE}={value}")
    stored = await everything_stored(world)
    for text in (
        caplog.text,
        repr(reply),
        repr(request),
        repr(request.headers),
        stored,
        repr(world.services.cookies),
    ):
        assert value not in text
        assert value[30:] not in text
