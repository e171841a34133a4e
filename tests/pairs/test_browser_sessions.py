"""docs/protocol/browser.md: who gets a cookie, what it opens, and when it ends; against a whole server."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.kits.sealed import (
    SignedIn,
    enrol_payload,
    post,
    seal,
    sign_in,
    try_login,
)
from tests.kits.world import World, open_world

from watchword.client.flows.account import DeviceKeys
from watchword.client.flows.sealed import Prover
from watchword.core.clock import DAY, SECOND
from watchword.core.ids import RequestId
from watchword.errors import UnauthenticatedError
from watchword.protocol.envelope import Purpose
from watchword.server.context import RequestContext
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


async def identify(world: World, header: str | None) -> Caller:
    raw = [] if header is None else [(b"cookie", header.encode("latin-1"))]
    now = world.clock.now()
    context = RequestContext(
        request_id=RequestId.new(now, world.entropy), now=now, address="127.0.0.1", user_agent=""
    )
    request = Request(context=context, headers=Headers(raw), path_parameters={}, query={})
    return await world.services.cookies.identify(request)


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
