"""Cold start to ready with 1,000 accounts, and the memory of an idle server."""

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from bench import Row, at_most
from bench.kit import Server, running_server, start, wait_ready
from watchword.core.clock import SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.core.ids import AccountId
from watchword.crypto.passwords import SALT_SIZE, StretchParams
from watchword.protocol.messages import ChestBody
from watchword.server.accounts.model import Account, AccountState, Login, LoginKind, StoredChest
from watchword.server.accounts.sql import SQLAccountStore
from watchword.server.config import load_config
from watchword.server.core import open_core
from watchword.server.db.unit import Unit

ACCOUNTS = 1000
STARTS = 5
LIMIT_S = 1.0
LIMIT_MIB = 60.0


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "data"
        with running_server(data):
            pass
        asyncio.run(_fill(data))
        measured = [_start_once(data) for _ in range(STARTS + 1)][1:]
    seconds = statistics.median(taken for taken, _ in measured)
    memory = statistics.median(resident for _, resident in measured)
    return [
        at_most(f"cold start to ready with {ACCOUNTS} accounts", seconds, "s", LIMIT_S),
        at_most("memory of an idle server", memory, "MiB", LIMIT_MIB),
    ]


def _start_once(data: Path) -> tuple[float, float]:
    (data / "address").unlink(missing_ok=True)
    began = time.monotonic()
    process = start(data, {"WATCHWORD_PROCESSES": "auto"})
    try:
        wait_ready(process, data, 20)
        taken = time.monotonic() - began
        time.sleep(1.0)
        return taken, Server(process=process, data=data).resident_mib()
    finally:
        process.terminate()
        process.wait(15)


async def _fill(data: Path) -> None:
    """Accounts as they lie in the database; nobody logs in to them, so their secrets are random bytes."""
    config = load_config(flags={"data": str(data)}, environ={})
    async with open_core(config, origin=None, clock=SystemClock(), entropy=SystemEntropy()) as core:
        store = SQLAccountStore(core.database)
        units = [make_account(store, number)[0] for number in range(ACCOUNTS)]
        await asyncio.gather(*(core.database.commit(unit) for unit in units))


def make_account(store: SQLAccountStore, number: int) -> tuple[Unit, Account]:
    """An account, and the unit of work that stores it."""
    now, entropy, name = SystemClock().now(), SystemEntropy(), f"person{number:05}"
    account = Account(
        id=AccountId.new(now, entropy),
        username=name,
        name_key=name,
        skeleton=name,
        display_name=None,
        email=None,
        email_key=None,
        level=0,
        state=AccountState.ACTIVE,
        password_version=1,
        client_key_seed=entropy.bytes(32),
        created_at=now,
        updated_at=now,
    )
    login = Login(
        identifier_key=f"u:{name}",
        account_id=account.id,
        kind=LoginKind.USERNAME,
        salt=entropy.bytes(SALT_SIZE),
        params=StretchParams(),
        verifier=bytes((1, 1, 0, 0, 0, 1)) + entropy.bytes(32),
        wrapped_chest_key="w" * 200,
    )
    keys = "k" * 1622
    body = ChestBody(
        version=1,
        identity_key="i" * 43,
        archive_key=keys,
        archive_generation=1,
        sealed="s" * 2500,
        recovery_key=keys,
        recovery_wrapped=keys,
    )
    unit = Unit(key=account.id.value)
    store.insert(unit, account, [login], StoredChest(body=body, recovery_verifier=os.urandom(36)))
    return unit, account
