"""Issuing tokens: their claims, their ends, and that none is given out that is not audited and of a live session."""

import dataclasses
from dataclasses import dataclass

import pytest
from tests.kits.stored import NOW, add_account, make_device, make_session, run

from watchword.core.clock import DAY, MINUTE, SECOND, Instant, later
from watchword.core.encoding import decode_json
from watchword.core.ids import RequestId
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.crypto.signing import TokenSigningKey
from watchword.errors import MalformedError, UnauthenticatedError
from watchword.protocol.tokens import UnverifiedToken
from watchword.server.accounts.model import Account
from watchword.server.audit.chain import AuditChain
from watchword.server.audit.entry import ChainHead
from watchword.server.context import RequestContext
from watchword.server.db.unit import AuditedDatabase
from watchword.server.devices.sql import SQLDeviceStore
from watchword.server.sessions.model import Session
from watchword.server.sessions.sql import SQLSessionStore
from watchword.server.tokens.service import ACCESS_TOKEN_LIFE, TokenService
from watchword.testing import SeededEntropy

pytestmark = pytest.mark.anyio
ISSUER, APP = "https://id.example", "https://app.example"
KEY = TokenSigningKey.generate()
CONTEXT = RequestContext(
    request_id=RequestId(bytes(16)),
    now=NOW,
    address="203.0.113.5",
    shown_address="203.0.113.5",
    user_agent="",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    database: AuditedDatabase
    service: TokenService
    account: Account
    session: Session

    async def audit(self) -> list[tuple[str, str | None]]:
        rows = await self.database.fetch_all("select facts, personal from audit_entries order by seq", {})
        return [(str(row[0]), str(row[1])) for row in rows]


@pytest.fixture
async def scene(sqlite_database: AuditedDatabase) -> Scene:
    key = VersionedKey(version=1, key=Secret(bytes(range(32))))
    sqlite_database.use_audit(AuditChain(node="main", key=key, head=ChainHead(), entropy=SeededEntropy(1)))
    account = await add_account(sqlite_database)
    device, store = make_device(account), SQLSessionStore(sqlite_database)
    session = make_session(device)
    await run(
        sqlite_database,
        lambda unit: SQLDeviceStore(sqlite_database).insert(unit, device),
        lambda unit: store.insert(unit, session),
    )
    service = TokenService(
        issuer=ISSUER,
        signing_key=lambda: KEY,
        require_session=store.require_session,
        database=sqlite_database,
        entropy=SeededEntropy("tokens"),
    )
    return Scene(database=sqlite_database, service=service, account=account, session=session)


async def test_the_servers_own_token_is_for_the_server(scene: Scene) -> None:
    issued = scene.service.issue_for_api(scene.account, scene.session, NOW)
    found = UnverifiedToken.parse(issued.text).verify(KEY.public, issuer=ISSUER, audience=ISSUER, now=NOW)
    assert (found.sub, found.sid) == (str(scene.account.id), str(scene.session.id))
    assert (found.device, found.level) == (str(scene.session.device_id), scene.account.level)
    assert tuple(found.scope) == ("api",)
    assert found.auth_time == scene.session.auth_time // SECOND
    assert issued.expires_at == NOW + ACCESS_TOKEN_LIFE
    assert await scene.audit() == []  # recorded by whatever grants it


async def test_an_apps_token_is_for_that_app_and_audited(scene: Scene) -> None:
    issued = await scene.service.issue_bearer(scene.account, scene.session, APP, CONTEXT)
    found = UnverifiedToken.parse(issued.text).verify(KEY.public, issuer=ISSUER, audience=APP, now=NOW)
    assert tuple(found.scope) == ()
    [(facts, personal)] = await scene.audit()
    noted = decode_json(facts.encode())
    assert (noted["audience"], noted["session"]) == (APP, str(scene.session.id))
    assert noted["account"] == str(scene.account.id)
    assert personal is not None
    assert decode_json(personal.encode())["address"][1] == "203.0.113.5"
    assert issued.text.split(".")[2] not in facts + personal


async def test_an_apps_token_carries_the_scopes_that_its_owner_chose_each_once_and_audited(
    scene: Scene,
) -> None:
    issued = await scene.service.issue_bearer(
        scene.account, scene.session, APP, CONTEXT, scopes=["b:x", "a", "b:x"]
    )
    found = UnverifiedToken.parse(issued.text).verify(KEY.public, issuer=ISSUER, audience=APP, now=NOW)
    assert tuple(found.scope) == ("a", "b:x")
    assert found.level == scene.account.level  # no scope changes that
    [(facts, _)] = await scene.audit()
    assert decode_json(facts.encode())["scope"] == "a b:x"


@pytest.mark.parametrize(
    "scopes",
    [[""], ["a b"], ["a\n"], ['a"'], ["a\\b"], ["\x7f"], ["é"], ["x" * 101], [f"s{n}" for n in range(33)],
     [f"{n:02}{'x' * 40}" for n in range(32)]],
)  # fmt: skip
async def test_scopes_of_another_form_or_too_many_get_no_token_and_no_entry(
    scene: Scene, scopes: list[str]
) -> None:
    with pytest.raises(MalformedError):
        await scene.service.issue_bearer(scene.account, scene.session, APP, CONTEXT, scopes=scopes)
    assert await scene.audit() == []


async def test_as_many_and_as_long_scopes_as_are_allowed_make_a_token_that_verifies(scene: Scene) -> None:
    for scopes in (
        ["x" * 100],
        [f"s{n}" for n in range(32)],
        [chr(sign) for sign in (0x21, 0x23, 0x5B, 0x5D, 0x7E)],
    ):
        issued = await scene.service.issue_bearer(scene.account, scene.session, APP, CONTEXT, scopes=scopes)
        found = UnverifiedToken.parse(issued.text).verify(KEY.public, issuer=ISSUER, audience=APP, now=NOW)
        assert set(found.scope) == set(scopes)


async def test_no_two_tokens_have_one_id(scene: Scene) -> None:
    ids = set()
    for _ in range(20):
        issued = scene.service.issue_for_api(scene.account, scene.session, NOW)
        ids.add(
            UnverifiedToken.parse(issued.text).verify(KEY.public, issuer=ISSUER, audience=ISSUER, now=NOW).jti
        )
    assert len(ids) == 20


@pytest.mark.parametrize("edge", ["expires_at", "ends_at"])
async def test_a_token_never_outlives_its_session(scene: Scene, edge: str) -> None:
    ends = {edge: later(NOW, MINUTE)}
    session = dataclasses.replace(scene.session, **ends)  # type: ignore[arg-type]  # an instant by name
    issued = scene.service.issue_for_api(scene.account, session, NOW)
    assert issued.expires_at == NOW + MINUTE


@pytest.mark.parametrize(
    "audience", [ISSUER, "", "*", "app.example", f"{APP}/", "https://APP.example", "http://app.example"]
)
async def test_an_audience_is_an_apps_origin_in_one_spelling(scene: Scene, audience: str) -> None:
    with pytest.raises(MalformedError):
        await scene.service.issue_bearer(scene.account, scene.session, audience, CONTEXT)
    assert await scene.audit() == []


async def test_a_session_that_ended_meanwhile_gets_no_token_and_no_entry(scene: Scene) -> None:
    store = SQLSessionStore(scene.database)
    await run(scene.database, lambda unit: store.end(unit, scene.account.id, scene.session.id, NOW))
    with pytest.raises(UnauthenticatedError) as refusal:
        await scene.service.issue_bearer(scene.account, scene.session, APP, CONTEXT)
    assert refusal.value.reason == "session_ended"
    assert await scene.audit() == []


async def test_a_session_that_expired_meanwhile_gets_no_token(scene: Scene) -> None:
    late = dataclasses.replace(CONTEXT, now=Instant(NOW + 7 * DAY))
    with pytest.raises(UnauthenticatedError):
        await scene.service.issue_bearer(scene.account, scene.session, APP, late)
    early = dataclasses.replace(CONTEXT, now=Instant(NOW + 7 * DAY - SECOND))
    issued = await scene.service.issue_bearer(scene.account, scene.session, APP, early)
    assert issued.expires_at == NOW + 7 * DAY
