"""Granting sessions: what is stored, what is told, and the sign-in token that is recomputed and never kept."""

import dataclasses
import hmac
from dataclasses import dataclass

import pytest
from tests.kits.stored import NOW, add_account, blob, make_account, make_device, make_session

from watchword.core.clock import DAY, Instant, later
from watchword.core.encoding import decode_b64u
from watchword.core.ids import RequestId, SessionId
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.errors import KeyUnknownError
from watchword.server.accounts.model import Account
from watchword.server.context import RequestContext
from watchword.server.db.unit import AuditedDatabase, Unit
from watchword.server.devices.client_keys import ClientKeys
from watchword.server.devices.sql import SQLDeviceStore
from watchword.server.sessions.grants import SessionGranter
from watchword.server.sessions.model import SESSION_END, SESSION_LIFE, Session
from watchword.server.sessions.sql import SQLSessionStore
from watchword.testing import SeededEntropy

pytestmark = pytest.mark.anyio
KEYS = {1: Secret(b"1" * 32), 2: Secret(b"2" * 32)}
ACCOUNT = make_account()
DEVICE = make_device(ACCOUNT)
SESSION = make_session(DEVICE)


@dataclass(frozen=True, slots=True)
class Told:
    text: str
    expires_at: Instant


class Tokens:
    """Names for whom it issues."""

    def issue_for_api(self, account: Account, session: Session, now: Instant) -> Told:
        return Told(f"{account.id} {session.id}", later(now, 5))


def find(version: int) -> Secret:
    if version not in KEYS:
        raise KeyUnknownError
    return KEYS[version]


def make(database: AuditedDatabase, *, version: int = 2, seed: str = "a") -> SessionGranter:
    return SessionGranter(
        store=SQLSessionStore(database),
        tokens=Tokens(),
        client_keys=ClientKeys({3: Secret(b"g" * 32)}.__getitem__),
        sign_in_key=lambda: VersionedKey(version=version, key=KEYS[version]),
        find_sign_in_key=find,
        entropy=SeededEntropy(seed),
    )


async def test_a_sign_in_token_is_a_mac_that_can_be_computed_again(sqlite_database: AuditedDatabase) -> None:
    text = make(sqlite_database).sign_in_token(SESSION, 5)
    extracted = hmac.digest(bytes(32), KEYS[2].reveal(), "sha256")
    key = hmac.digest(extracted, b"watchword/v1/sign-in/token\0\x01", "sha256")
    parts = (SESSION.id.value, SESSION.seed, (5).to_bytes(8, "big"))
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    assert text.startswith("wsi_")
    assert decode_b64u(text[4:]) == SESSION.id.value + hmac.digest(key, message, "sha256")
    again = make(sqlite_database, version=1, seed="another process")
    assert again.sign_in_token(SESSION, 5) == text  # by the session's own key version


async def test_counter_session_seed_and_key_each_change_the_token(sqlite_database: AuditedDatabase) -> None:
    granter = make(sqlite_database)
    others = [
        dataclasses.replace(SESSION, id=SessionId(bytes(16))),
        dataclasses.replace(SESSION, seed=blob("another")),
        dataclasses.replace(SESSION, sign_in_version=1),
    ]
    texts = [granter.sign_in_token(SESSION, counter) for counter in (0, 1, 5, 6, 1 << 40)]
    texts += [granter.sign_in_token(one, 5) for one in others]
    assert len(set(texts)) == len(texts)


async def test_a_token_of_a_key_that_is_gone_cannot_be_made(sqlite_database: AuditedDatabase) -> None:
    with pytest.raises(KeyUnknownError):
        make(sqlite_database).sign_in_token(dataclasses.replace(SESSION, sign_in_version=9), 5)


def context(at: Instant) -> RequestContext:
    request_id = RequestId(bytes(16))
    return RequestContext(
        request_id=request_id, now=at, address="192.0.2.9", shown_address="192.0.2.9", user_agent="a browser"
    )


async def test_a_session_lasts_a_week_and_ends_a_month_after_the_password(database: AuditedDatabase) -> None:
    account = await add_account(database)
    device = make_device(account)
    unit, granter = Unit(key=b"test"), make(database)
    SQLDeviceStore(database).insert(unit, device)
    opened = granter.open(unit, device.id, account, context(later(NOW, DAY)), NOW)
    assert await granter.count_live(account.id, later(NOW, DAY)) == 0  # nothing before the commit
    await database.commit(unit)
    assert (opened.created_at, opened.auth_time) == (NOW + DAY, NOW)
    assert (opened.expires_at, opened.ends_at) == (NOW + DAY + SESSION_LIFE, NOW + SESSION_END)
    assert (opened.counter, opened.sign_in_version) == (1, 2)
    assert (opened.address, opened.user_agent) == ("192.0.2.9", "a browser")
    assert await granter.find_live_on(device.id, later(NOW, DAY)) == opened
    assert await granter.count_live(account.id, later(NOW, DAY)) == 1


async def test_a_grant_tells_what_the_device_needs(sqlite_database: AuditedDatabase) -> None:
    granter = make(sqlite_database)
    grant = granter.grant(SESSION, DEVICE, ACCOUNT, NOW)
    assert grant.session == SESSION.body(current=SESSION.id)
    assert grant.session.current
    assert grant.sign_in_token == granter.sign_in_token(SESSION, SESSION.counter)
    assert (grant.access_token, grant.access_token_expires_at) == (f"{ACCOUNT.id} {SESSION.id}", NOW + 5)
    assert decode_b64u(grant.client_key) == granter.client_key(DEVICE, ACCOUNT).reveal()
    assert grant.seed_version == ACCOUNT.password_version
    newer = dataclasses.replace(ACCOUNT, client_key_seed=blob("new password"))
    assert granter.client_key(DEVICE, newer) != granter.client_key(DEVICE, ACCOUNT)
