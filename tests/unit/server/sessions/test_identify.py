"""Why a caller of the server's own API is not known: each reason alone, on a real session in a real database."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest
from tests.kits.stored import NOW, add_account, make_device, make_session, run

from watchword.core.clock import MINUTE, SECOND, Instant, later
from watchword.core.ids import AccountId, RequestId, SessionId
from watchword.crypto.signing import TokenSigningKey, TokenVerifyingKey
from watchword.errors import KeyUnknownError, MalformedError, UnauthenticatedError
from watchword.protocol.tokens import AccessClaims, issue_access_token
from watchword.server.accounts.model import Account, AccountState
from watchword.server.accounts.sql import SQLAccountStore
from watchword.server.context import RequestContext
from watchword.server.db.unit import AuditedDatabase
from watchword.server.devices.sql import SQLDeviceStore
from watchword.server.http.endpoint import Request
from watchword.server.http.headers import Headers
from watchword.server.sessions.identify import Identifier
from watchword.server.sessions.model import Session
from watchword.server.sessions.sql import SQLSessionStore

pytestmark = pytest.mark.anyio
ISSUER = "https://id.example"
KEY = TokenSigningKey.generate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    database: AuditedDatabase
    account: Account
    session: Session

    def token(self, key: TokenSigningKey = KEY, **changes: Any) -> str:
        claims = AccessClaims(
            iss=ISSUER,
            sub=str(self.account.id),
            aud=ISSUER,
            exp=NOW // SECOND + 600,
            iat=NOW // SECOND,
            nbf=NOW // SECOND,
            jti="t" * 22,
            sid=str(self.session.id),
            device=str(self.session.device_id),
            level=2,
            scope=("api",),
            auth_time=NOW // SECOND,
            amr=("pwd",),
            preferred_username="Anna",
        )
        return issue_access_token(dataclasses.replace(claims, **changes), key)

    async def identify(self, authorization: str | None, *, now: Instant = NOW) -> Any:
        def verifying_key(kid: str) -> TokenVerifyingKey:
            if kid != KEY.kid:
                raise KeyUnknownError
            return KEY.public

        identifier = Identifier(
            issuer=ISSUER, verifying_key=verifying_key, store=SQLSessionStore(self.database)
        )
        request_id = RequestId(bytes(16))
        context = RequestContext(
            request_id=request_id, now=now, address="192.0.2.1", shown_address="192.0.2.1", user_agent=""
        )
        return await identifier(
            Request(
                context=context,
                headers=Headers([]),
                authorization=authorization,
                path_parameters={},
                query={},
            )
        )

    async def reason(self, authorization: str | None, *, now: Instant = NOW) -> str:
        with pytest.raises(UnauthenticatedError) as refusal:
            await self.identify(authorization, now=now)
        return refusal.value.reason


@pytest.fixture
async def scene(sqlite_database: AuditedDatabase) -> Scene:
    account = await add_account(sqlite_database)
    device = make_device(account)
    session = make_session(device)
    await run(
        sqlite_database,
        lambda unit: SQLDeviceStore(sqlite_database).insert(unit, device),
        lambda unit: SQLSessionStore(sqlite_database).insert(unit, session),
    )
    return Scene(database=sqlite_database, account=account, session=session)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_good_token_of_a_live_session_names_its_caller(scene: Scene, scheme: str) -> None:
    caller = await scene.identify(f"{scheme} {scene.token()}")
    assert (caller.account, caller.session) == (scene.account, scene.session)
    assert caller.device_id == scene.session.device_id


async def test_no_token_or_another_scheme(scene: Scene) -> None:
    for text in (None, ""):
        assert await scene.reason(text) == "no_token"
    for text in (
        "Bearer",
        "Basic YTpi",
        f"Token {scene.token()}",
        scene.token(),
        f"Bearer\t{scene.token()}",
    ):
        assert await scene.reason(text) == "other_scheme"


async def test_a_token_that_does_not_parse(scene: Scene) -> None:
    for text in ("Bearer ", "Bearer a.b.c", f"Bearer {scene.token()} ", f"Bearer  {scene.token()}"):
        with pytest.raises((UnauthenticatedError, MalformedError)):
            await scene.identify(text)


async def test_each_claim_that_is_not_ours_has_its_reason(scene: Scene) -> None:
    other = AccountId(bytes(16))
    cases = {
        "unknown_key": scene.token(key=TokenSigningKey.generate()),
        "issuer": scene.token(iss="https://other.example"),
        "audience": scene.token(aud="https://app.example"),
        "session_unknown": scene.token(sid=str(SessionId(bytes(16)))),
        "session_ended": scene.token(sub=str(other)),
    }
    for reason, token in cases.items():
        assert await scene.reason(f"Bearer {token}") == reason


async def test_a_token_ends_without_the_skew_that_apps_allow(scene: Scene) -> None:
    end = Instant((NOW // SECOND + 600) * SECOND)
    await scene.identify(f"Bearer {scene.token()}", now=Instant(end - 1))
    assert await scene.reason(f"Bearer {scene.token()}", now=end) == "token_expired"
    assert await scene.reason(f"Bearer {scene.token()}", now=later(end, MINUTE)) == "expiry"


async def test_a_session_that_has_ended_is_known_no_more(scene: Scene) -> None:
    store = SQLSessionStore(scene.database)
    await run(scene.database, lambda unit: store.end(unit, scene.account.id, scene.session.id, NOW))
    assert await scene.reason(f"Bearer {scene.token()}") == "session_ended"


async def test_a_suspended_account_is_known_no_more_and_a_deleted_one_has_no_session(scene: Scene) -> None:
    accounts = SQLAccountStore(scene.database)
    suspended = AccountState.SUSPENDED
    await run(scene.database, lambda unit: accounts.set_state(unit, scene.account.id, suspended, NOW))
    assert await scene.reason(f"Bearer {scene.token()}") == "session_ended"
    await run(scene.database, lambda unit: accounts.delete(unit, scene.account.id))
    assert await scene.reason(f"Bearer {scene.token()}") == "session_unknown"
