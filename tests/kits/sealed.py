"""Sealed requests made by hand: any payload, any header, at any endpoint; for tests of what must be refused.

A server never sees a password, only the login secret that a client derives from one. So accounts here have random
login secrets, and nobody waits for Argon2id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
import msgspec
from tests.kits.world import World

from watchword.client.flows.account import DeviceKeys
from watchword.client.flows.sealed import Prover, begin
from watchword.core.encoding import decode_b64u, decode_json, encode_b64u, encode_json
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.passwords import StretchParams
from watchword.protocol.chest import Chest, RecoveryKey, new_chest_key
from watchword.protocol.device_proof import prove_device
from watchword.protocol.envelope import (
    _INFO_LABEL,
    VERSION,
    Purpose,
    Recipient,
    envelope_digest,
    open_reply,
)
from watchword.protocol.messages import EnrolAnswer, LoginAnswer, RegisterAnswer
from watchword.protocol.wire import M
from watchword.server.audit.entry import AuditEntry
from watchword.server.operator.model import LocalOperator

OPERATOR: Final = LocalOperator(0)
PATHS: Final = {
    Purpose.BEGIN: "/api/login/begin",
    Purpose.LOGIN: "/api/login",
    Purpose.REGISTER: "/api/register",
    Purpose.ENROL: "/api/devices",
    Purpose.PASSWORD: "/api/password",
}
DROP: Final = object()
"""As the value of a header member: leave it out."""
Payload = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Member:
    """An account whose login secret is known."""

    name: str
    login_secret: str
    chest: Payload
    registered: RegisterAnswer


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    member: Member
    keys: DeviceKeys
    enrolled: EnrolAnswer

    @property
    def token(self) -> str:
        return self.enrolled.grant.access_token

    @property
    def prover(self) -> Prover:
        return Prover(key=self.keys.signing, device_id=self.enrolled.device)


def fresh(entropy: Entropy, size: int = 32) -> str:
    return encode_b64u(entropy.bytes(size))


def seal_with_header(header: Mapping[str, Any], payload: bytes, to: Recipient) -> str:
    """An envelope under any header whatever."""
    first = encode_b64u(encode_json({name: value for name, value in header.items() if value is not DROP}))
    return f"{first}.{encode_b64u(to.key.seal(payload, info=_INFO_LABEL + first.encode()))}"


def seal(
    world: World, purpose: Purpose, payload: Payload, *, to: Recipient | None = None, **header: Any
) -> str:
    """An envelope; `header` replaces members, and `sk` adds the short key."""
    to = to or world.recipient()
    members = {
        "v": VERSION,
        "suite": to.key.suite.value,
        "kid": to.kid,
        "purpose": purpose.value,
        "iss": to.issuer,
    }
    return seal_with_header({**members, **header}, encode_json(payload), to)


async def short_key(world: World, identifier: str, purpose: Purpose = Purpose.LOGIN) -> str:
    begun = await world.run(begin(identifier, purpose, to=world.recipient(), entropy=world.client_entropy))
    return begun.short_key


async def post(
    world: World,
    purpose: Purpose,
    envelope: str,
    *,
    prover: Prover | None = None,
    token: str | None = None,
    **members: Any,
) -> httpx.Response:
    """The envelope to the endpoint of `purpose`; `prover` signs it, `members` are added to the body."""
    body: dict[str, Any] = {"envelope": envelope, **members}
    if prover is not None:
        body["signature"] = prove_device(prover.key, envelope_digest(envelope))
        if prover.device_id is not None:
            body["device"] = prover.device_id
    return await world.call("POST", PATHS[purpose], body, token=token)


def read(answer: httpx.Response, kind: type[M], purpose: Purpose, envelope: str, payload: Payload) -> M:
    """The sealed answer. Fails on a refusal."""
    assert answer.status_code < 300, answer.text
    key = Secret(decode_b64u(payload["reply_key"]))
    return open_reply(answer.json()["sealed"], key, kind, purpose=purpose, request=envelope_digest(envelope))


WRAPPED = f"e30..{'A' * 16}.AAAA.{'A' * 22}"
"""The form of a JWE: all that the server can see of one."""


def split(entropy: Entropy, kind: str = "username", **changes: Any) -> Payload:
    return {
        "kind": kind,
        "salt": fresh(entropy, 16),
        "stretch": StretchParams().to_json(),
        "login_secret": fresh(entropy),
        "wrapped_chest_key": WRAPPED,
        **changes,
    }


def register_payload(world: World, username: str, **changes: Any) -> Payload:
    """A good registration with a random login secret, then changed. `email` brings its own login."""
    entropy = world.client_entropy
    recovery = RecoveryKey.generate(entropy)
    chest = Chest.create(recovery, entropy).seal(new_chest_key(entropy), entropy)
    kinds = ["username", "email"] if changes.get("email") else ["username"]
    return {
        "username": username,
        "logins": [split(entropy, kind) for kind in kinds],
        "chest": msgspec.to_builtins(chest),
        "recovery_secret": encode_b64u(recovery.secret().reveal()),
        "reply_key": fresh(entropy),
        **changes,
    }


async def register_with(world: World, payload: Payload) -> tuple[httpx.Response, str]:
    """Send this registration; the answer and the envelope."""
    key = await short_key(world, payload["username"], Purpose.REGISTER)
    envelope = seal(world, Purpose.REGISTER, payload, sk=key)
    return await post(world, Purpose.REGISTER, envelope), envelope


async def try_register(world: World, username: str, **changes: Any) -> httpx.Response:
    return (await register_with(world, register_payload(world, username, **changes)))[0]


async def make_member(world: World, name: str, **changes: Any) -> Member:
    """An account without any device."""
    payload = register_payload(world, name, **changes)
    answer, envelope = await register_with(world, payload)
    registered = read(answer, RegisterAnswer, Purpose.REGISTER, envelope, payload)
    secret = payload["logins"][0]["login_secret"]
    return Member(name=name, login_secret=secret, chest=payload["chest"], registered=registered)


async def sign_in(world: World, name: str, **changes: Any) -> SignedIn:
    """An account with one signed-in device."""
    member = await make_member(world, name, **changes)
    keys = DeviceKeys.generate(world.client_entropy)
    return SignedIn(
        member=member, keys=keys, enrolled=await world.enrol(member.registered.temporary_token, keys)
    )


def login_payload(world: World, identifier: str, secret: str | None = None, **changes: Any) -> Payload:
    """A login with this secret, or with one that is nobody's."""
    return {
        "identifier": identifier,
        "login_secret": secret or fresh(world.client_entropy),
        "reply_key": fresh(world.client_entropy),
        **changes,
    }


async def try_login(
    world: World, identifier: str, secret: str | None = None, *, prover: Prover | None = None, **changes: Any
) -> httpx.Response:
    key = await short_key(world, identifier)
    envelope = seal(world, Purpose.LOGIN, login_payload(world, identifier, secret, **changes), sk=key)
    return await post(world, Purpose.LOGIN, envelope, prover=prover)


async def log_in_as(world: World, member: Member, *, prover: Prover | None = None) -> LoginAnswer:
    key = await short_key(world, member.name)
    payload = login_payload(world, member.name, member.login_secret)
    envelope = seal(world, Purpose.LOGIN, payload, sk=key)
    answer = await post(world, Purpose.LOGIN, envelope, prover=prover)
    return read(answer, LoginAnswer, Purpose.LOGIN, envelope, payload)


def enrol_payload(world: World, credential: str, keys: DeviceKeys, **changes: Any) -> Payload:
    return {
        "credential": credential,
        "device_name": "a test's device",
        "keys": msgspec.to_builtins(keys.public()),
        "reply_key": fresh(world.client_entropy),
        **changes,
    }


async def try_enrol(world: World, credential: str, keys: DeviceKeys, **changes: Any) -> httpx.Response:
    envelope = seal(world, Purpose.ENROL, enrol_payload(world, credential, keys, **changes))
    return await post(world, Purpose.ENROL, envelope, prover=Prover(key=keys.signing))


def password_payload(world: World, member: Member, *, version: int = 2, **changes: Any) -> Payload:
    """A good change of the password, then changed. The chest keeps its identity and recovery key."""
    chest = {
        **member.chest,
        "version": version,
        "archive_generation": version,
        "sealed": WRAPPED,
        "recovery_wrapped": "wrapped_",
    }
    return {
        "identifier": member.name,
        "login_secret": member.login_secret,
        "logins": [split(world.client_entropy)],
        "chest": chest,
        "reply_key": fresh(world.client_entropy),
        **changes,
    }


async def try_change(world: World, signed: SignedIn, payload: Payload) -> httpx.Response:
    key = await short_key(world, payload["identifier"], Purpose.PASSWORD)
    envelope = seal(world, Purpose.PASSWORD, payload, sk=key)
    return await post(world, Purpose.PASSWORD, envelope, token=signed.token)


def shape(answer: httpx.Response) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
    """Status, body and headers, with the id of this one request taken out of both."""
    document = decode_json(answer.content)
    request_id = document["request_id"]
    headers = tuple((name, value.replace(request_id, "REQUEST")) for name, value in answer.headers.items())
    return answer.status_code, answer.content.replace(request_id.encode(), b"REQUEST"), headers


async def entries(world: World, tag: str) -> list[AuditEntry]:
    """The audit entries of this tag, oldest first."""
    return [entry for entry in await world.core.audit.tail(1000) if entry.tag == tag]


async def reasons(world: World, tag: str) -> list[str]:
    return [decode_json(entry.facts.encode())["reason"] for entry in await entries(world, tag)]


async def count_rows(world: World, table: str) -> int:
    row = await world.core.database.fetch_one(f"select count(*) from {table}", {})
    assert row is not None
    assert isinstance(row[0], int)
    return row[0]


_KEPT_ASIDE: Final = frozenset({"audit_entries", "commits", "guessing_lanes", "meta", "migrations"})


async def tables_of(world: World) -> list[str]:
    """The tables that are there, but those of lanes, of the audit trail, and of the database layer itself."""
    master = "select name from sqlite_master where type = 'table'"
    schema = "select table_name from information_schema.tables where table_schema = 'public'"
    sqlite = world.core.config.database is None
    rows = await world.core.database.fetch_all(master if sqlite else schema, {})
    names = sorted(str(row[0]) for row in rows)
    return [name for name in names if name not in _KEPT_ASIDE and not name.startswith("sqlite_")]


async def whole_state(world: World) -> dict[str, list[Any]]:
    """Every row but those of the audit trail and of lanes: what a refusal must not change."""
    state = {}
    for table in await tables_of(world):
        rows = await world.core.database.fetch_all(f"select * from {table}", {})
        state[table] = sorted(map(repr, map(tuple, rows)))
    return state


async def everything_stored(world: World) -> str:
    """All of it as text, for a search after planted secrets: the state, and the audit trail."""
    audit = await world.core.database.fetch_all("select * from audit_entries", {})
    return repr(await whole_state(world)) + repr([tuple(row) for row in audit])
