"""A session that a browser has: the cookie that its pages are opened with, and what came sealed beside it."""

from dataclasses import dataclass, field

from tests.kits.sealed import SignedIn, login_payload, post, read, seal, short_key
from tests.kits.world import World

from watchword.protocol.envelope import Purpose
from watchword.protocol.messages import LoginAnswer, SessionGrant


@dataclass(frozen=True, kw_only=True)
class BrowserSession:
    """`cookie` is the value of `Cookie`."""

    cookie: str = field(repr=False)
    grant: SessionGrant

    @property
    def headers(self) -> dict[str, str]:
        """Of a request that its person makes."""
        return {"cookie": self.cookie, "accept": "text/html"}


async def open_browser(world: World, who: SignedIn) -> BrowserSession:
    """Log in from the device of `who`, as its browser; the session it had before ends."""
    name = who.member.name
    payload = login_payload(world, name, who.member.login_secret, browser=True)
    envelope = seal(world, Purpose.LOGIN, payload, sk=await short_key(world, name))
    answer = await post(world, Purpose.LOGIN, envelope, prover=who.prover)
    grant = read(answer, LoginAnswer, Purpose.LOGIN, envelope, payload).grant
    assert grant is not None
    return BrowserSession(cookie=answer.headers["set-cookie"].partition(";")[0], grant=grant)
