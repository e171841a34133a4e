"""Rows for tests of stores: accounts, devices and sessions that differ in every column, and how to commit them."""

import asyncio
import dataclasses
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from watchword.core.clock import DAY, MINUTE, Instant, later
from watchword.core.ids import AccountId, DeviceId, InviteId, SessionId
from watchword.crypto.passwords import StretchParams
from watchword.protocol.messages import ChestBody
from watchword.server.accounts.model import Account, AccountState, Invite, Login, LoginKind, StoredChest
from watchword.server.accounts.sql import SQLAccountStore
from watchword.server.db.unit import AuditedDatabase, Database, GuardError, Unit
from watchword.server.devices.model import Device, EnrolmentCredential
from watchword.server.sessions.model import Session

NOW: Final = Instant(1_800_000_000_000)


def blob(text: str, size: int = 32) -> bytes:
    """Bytes that are different for each text."""
    return hashlib.shake_256(text.encode()).digest(size)


def id_at(name: str, at: Instant = NOW) -> bytes:
    """16 bytes, ordered by time as all ids are."""
    return at.to_bytes(6, "big") + blob(name, 10)


def make_account(name: str = "anna", *, at: Instant = NOW, **changes: Any) -> Account:
    made = Account(
        id=AccountId(id_at(f"account {name}", at)),
        username=name.title(),
        name_key=name,
        skeleton=f"{name} skeleton",
        display_name=f"The {name}",
        email=f"{name.title()}@example.org",
        email_key=f"{name}@example.org",
        level=2,
        state=AccountState.ACTIVE,
        password_version=1,
        client_key_seed=blob(f"seed {name}"),
        created_at=at,
        updated_at=later(at, 1),
    )
    return dataclasses.replace(made, **changes)


def make_logins(account: Account, *, of: str = "first", scheme: int = 1) -> list[Login]:
    """One for each identifier; the verifier's first byte names its scheme. `of`: which password it is."""
    keys = {LoginKind.USERNAME: f"u:{account.name_key}"}
    if account.email_key is not None:
        keys[LoginKind.EMAIL] = f"e:{account.email_key}"
    return [
        Login(
            identifier_key=key,
            account_id=account.id,
            kind=kind,
            salt=blob(f"salt {key} {of}", 16),
            params=StretchParams(memory_kib=65536 + len(of), passes=4, lanes=1),
            verifier=bytes([scheme]) + blob(f"verifier {key} {of}", 37),
            wrapped_chest_key=f"wrapped {key} {of}",
        )
        for kind, key in keys.items()
    ]


def make_chest(account: Account, version: int = 1, **changes: Any) -> StoredChest:
    body: dict[str, Any] = {
        "version": version,
        "sealed": f"chest {account.name_key} {version}",
        "identity_key": f"identity {account.name_key}",
        "archive_key": f"archive {account.name_key} {version}",
        "archive_generation": version,
        "recovery_key": f"recovery {account.name_key}",
        "recovery_wrapped": f"wrapped {account.name_key} {version}",
    }
    return StoredChest(body=ChestBody(**{**body, **changes}), recovery_verifier=blob("recovery"))


def make_invite(name: str = "first", *, at: Instant = NOW, **changes: Any) -> Invite:
    made = Invite(
        id=InviteId(id_at(f"invite {name}", at)),
        verifier=blob(f"invite {name}", 36),
        level=4,
        note=f"for {name}",
        created_at=at,
        expires_at=later(at, DAY),
    )
    return dataclasses.replace(made, **changes)


def make_device(account: Account, name: str = "laptop", **changes: Any) -> Device:
    whole = f"{account.name_key} {name}"
    made = Device(
        id=DeviceId(id_at(f"device {whole}")),
        account_id=account.id,
        name=name,
        signing_key=blob(f"signing {whole}"),
        message_signing_key=blob(f"messages {whole}"),
        sealing_key=blob(f"sealing {whole}", 1216),
        generation_version=3,
        created_at=NOW,
    )
    return dataclasses.replace(made, **changes)


def make_credential(
    account: Account, name: str = "first", *, at: Instant = NOW, **changes: Any
) -> EnrolmentCredential:
    made = EnrolmentCredential(
        selector=id_at(f"credential {account.name_key} {name}", at),
        verifier=blob(f"credential {account.name_key} {name}", 36),
        account_id=account.id,
        auth_time=at,
        expires_at=later(at, 5 * MINUTE),
    )
    return dataclasses.replace(made, **changes)


def make_session(device: Device, name: str = "first", *, at: Instant = NOW, **changes: Any) -> Session:
    made = Session(
        id=SessionId(id_at(f"session {device.id} {name}", at)),
        account_id=device.account_id,
        device_id=device.id,
        seed=blob(f"seed {device.id} {name}"),
        sign_in_version=2,
        counter=5,
        auth_time=later(at, -1000),
        created_at=at,
        expires_at=later(at, 7 * DAY),
        ends_at=later(at, 30 * DAY),
        address="192.0.2.7",
        user_agent="a test",
    )
    return dataclasses.replace(made, **changes)


async def run(database: Database, *steps: Callable[[Unit], None], key: bytes = b"test") -> None:
    """One unit of work of these steps."""
    unit = Unit(key=key)
    for step in steps:
        step(unit)
    await database.commit(unit)


async def refused_by(work: Awaitable[None]) -> str | None:
    """The guard that refused it; None where it was done."""
    try:
        await work
    except GuardError as error:
        return error.guard
    return None


async def outcomes_of(works: Sequence[Awaitable[None]]) -> list[str | None]:
    """What became of each, all at once."""
    return list(await asyncio.gather(*map(refused_by, works)))


async def add_account(database: AuditedDatabase, name: str = "anna", **changes: Any) -> Account:
    """An account with its logins and chest, stored."""
    account = make_account(name, **changes)
    store = SQLAccountStore(database)
    await run(database, lambda unit: store.insert(unit, account, make_logins(account), make_chest(account)))
    return account


async def count(database: Database, table: str) -> int:
    row = await database.fetch_one(f"select count(*) from {table}", {})
    assert row is not None
    assert isinstance(row[0], int)
    return row[0]
