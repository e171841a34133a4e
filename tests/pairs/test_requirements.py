"""Requirements end to end, each on the real server: where the caller came from, whose keys are whose, what is sent."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.kits.sealed import PATHS, entries, log_in_as, sign_in, try_enrol, try_login, try_register
from tests.kits.world import ORIGIN, PASSWORD, World, open_world

from watchword.client.effects import Call, Stretch
from watchword.client.flows import account
from watchword.client.flows.account import DeviceKeys, NewAccount
from watchword.core.encoding import decode_json, encode_b64u
from watchword.core.ids import DeviceId
from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPublicKey, Suite
from watchword.crypto.kdf import Label, derive
from watchword.crypto.keyring import DataKeyPurpose
from watchword.crypto.passwords import ServerHash, StretchParams, login_secret, stretch, wrapping_key
from watchword.crypto.signing import TokenVerifyingKey
from watchword.crypto.verifiers import check_verifier, scheme_of
from watchword.protocol.chest import RecoveryKey
from watchword.protocol.envelope import SealedEnvelope
from watchword.protocol.keydocument import verify_key_document
from watchword.protocol.passwords import prepare
from watchword.protocol.tokens import UnverifiedToken
from watchword.server.audit.lines import as_json_line, parse_json_line

pytestmark = pytest.mark.anyio
APP = "https://app.example"
ELSEWHERE = "203.0.113.77"


# P6: the audit trail says from where


async def act(world: World, action: str) -> None:
    """Do one thing that is recorded; everything before it came from the world's own address."""
    if action == "account:account:register":
        world.address = ELSEWHERE
        assert (await try_register(world, "bert")).status_code == 201
        return
    anna = await sign_in(world, "anna")
    token = (await log_in_as(world, anna.member)).temporary_token or ""
    world.address = ELSEWHERE
    if action == "account:session:login":
        await log_in_as(world, anna.member, prover=anna.prover)
    elif action == "temporary token":
        await log_in_as(world, anna.member)
    elif action == "account:session:login-refused":
        assert (await try_login(world, "anna")).status_code == 403
    elif action == "account:account:register-refused":
        assert (await try_register(world, "anna")).status_code == 403
    elif action == "account:device:enrol":
        keys = DeviceKeys.generate(world.client_entropy)
        assert (await try_enrol(world, token, keys)).status_code == 201
    elif action == "account:device:enrol-refused":
        assert (await try_enrol(world, "wtt_no", anna.keys)).status_code == 403
    elif action == "account:session:end-all":
        assert (await world.call("DELETE", "/api/sessions", token=anna.token)).status_code == 204
    else:
        body = {"audience": APP, "bearer": True}
        assert (await world.call("POST", "/api/tokens", body, token=anna.token)).status_code == 201


@pytest.mark.parametrize(
    "action",
    [
        "account:account:register",
        "account:account:register-refused",
        "account:session:login",
        "temporary token",
        "account:session:login-refused",
        "account:device:enrol",
        "account:device:enrol-refused",
        "account:token:issue",
        "account:session:end-all",
    ],
)
async def test_req_P6_the_audit_entry_holds_the_callers_address(tmp_path: Path, action: str) -> None:
    async with open_world(tmp_path, seed="first") as world:
        await act(world, action)
        tag = "account:session:login" if action == "temporary token" else action
        entry = (await entries(world, tag))[-1]
        assert entry == (await world.core.audit.tail(1))[0]
        assert entry.personal is not None
        assert decode_json(entry.personal.encode())["address"][1] == ELSEWHERE
        assert ELSEWHERE not in entry.facts  # personal, so that it can be erased
        others = [one for one in await world.core.audit.tail(1000) if one != entry]
        assert not any(ELSEWHERE in (one.personal or "") for one in others)
        if action == "temporary token":
            assert decode_json(entry.facts.encode())["outcome"] == "temporary_token"
    async with open_world(tmp_path, seed="second") as again:
        kept = [one for one in await again.core.audit.tail(1000) if one.seq == entry.seq]
        assert kept == [entry]
        line = as_json_line(kept[0])
        assert json.loads(line)["personal"]["address"][1] == ELSEWHERE
        assert parse_json_line(line.encode()) == entry


async def test_req_P6_an_address_is_the_connections_and_not_a_headers(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        world.address = ELSEWHERE
        forged = {
            "x-forwarded-for": "198.51.100.1",
            "forwarded": "for=198.51.100.1",
            "x-real-ip": "198.51.100.1",
        }
        body = {"audience": APP, "bearer": True}
        answer = await world.call("POST", "/api/tokens", body, token=anna.token, headers=forged)
        assert answer.status_code == 201
        personal = (await entries(world, "account:token:issue"))[-1].personal or ""
        assert decode_json(personal.encode())["address"][1] == ELSEWHERE


# P1: key pairs on both sides


async def test_req_P1_a_devices_keys_are_made_on_the_client_and_only_public_halves_are_stored(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        anna = await world.register("anna")
        row = await world.core.database.fetch_one(
            "select signing_key, message_signing_key, sealing_key from devices where id = :id",
            {"id": DeviceId.parse(anna.enrolled.device).value},
        )
        keys = anna.keys
        assert tuple(row or ()) == (
            keys.signing.public.to_bytes(),
            keys.message_signing.public.to_bytes(),
            keys.sealing.public.to_bytes(),
        )
        assert row is not None
        assert isinstance(row[2], bytes)
        sealed = SealingPublicKey.from_bytes(Suite.HYBRID, row[2]).seal(b"to anna", info=b"i")
        assert keys.sealing.open(sealed, info=b"i") == b"to anna"
        private = [keys.signing.seed(), keys.message_signing.seed(), keys.sealing.seed()]
        files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        for seed in private:
            for form in (seed.reveal(), encode_b64u(seed.reveal()).encode(), seed.reveal().hex().encode()):
                assert form not in files
        assert keys.signing.public.to_bytes() in files  # the search finds what is there


async def test_req_P1_the_servers_published_keys_check_what_it_signs(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        anna = await sign_in(world, "anna")
        body = {"audience": APP, "bearer": True}
        token = (await world.call("POST", "/api/tokens", body, token=anna.token)).json()["access_token"]
        published = (await world.call("GET", "/.well-known/jwks.json")).json()["keys"]
        text = (await world.call("GET", "/.well-known/watchword-keys")).text
        pin = world.core.keys.root_fingerprint()
        document = verify_key_document(text, pin=pin, now=world.clock.now(), at_least=1)
        unverified = UnverifiedToken.parse(token)
        in_set = {key.kid: key for key in map(TokenVerifyingKey.from_jwk, published)}
        in_document = {key.kid: key for key in document.signing}
        assert in_set.keys() == in_document.keys()
        for keys in (in_set, in_document):
            claims = unverified.verify(
                keys[unverified.kid], issuer=document.issuer, audience=APP, now=world.clock.now()
            )
            assert claims.sub == anna.enrolled.account.id
        assert not any({"d", "k", "p", "q"} & key.keys() for key in published)


# M3: what of a password leaves the client


class Posted:
    """A client's flow, driven against the world, with every envelope opened as the server would."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sent: list[bytes] = []
        self.stretched: list[Secret] = []

    async def run(self, flow: Any) -> Any:
        effect = next(flow)
        while True:
            try:
                reply: Any
                if isinstance(effect, Stretch):
                    reply = stretch(effect.password, effect.salt, effect.params)
                    self.stretched.append(reply)
                else:
                    reply = await self._call(effect)
                effect = flow.send(reply)
            except StopIteration as end:
                return end.value

    async def _call(self, call: Call) -> bytes:
        answer = await self.world.call(call.method, call.path, call.body, token=call.access_token)
        assert answer.status_code < 300, answer.text
        raw = answer.request.content
        self.sent.append(raw)
        if raw:
            purpose = next(one for one, path in PATHS.items() if path == call.path)
            text = decode_json(raw)["envelope"]
            envelope = SealedEnvelope.parse(text, purpose=purpose, issuer=ORIGIN)
            key = await self.world.core.keys.find_sealing_key(envelope.kid)
            self.sent.append(envelope.open(key))
        return answer.content


def forms(secret: bytes) -> list[bytes]:
    return [secret, encode_b64u(secret).encode(), secret.hex().encode()]


async def test_req_M3_neither_password_nor_stretched_password_is_sent(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        posted, entropy = Posted(world), world.client_entropy
        password, recovery = prepare(PASSWORD), RecoveryKey.generate(entropy)
        new = NewAccount(username="anna", password=password)
        to = world.recipient()
        registered = await posted.run(account.register(new, recovery, to=to, entropy=entropy))
        keys = DeviceKeys.generate(entropy)
        await posted.run(account.enrol(registered.temporary_token, "laptop", keys, to=to, entropy=entropy))
        logged_in = await posted.run(account.log_in("anna", password, to=to, entropy=entropy))
        assert len(posted.stretched) == 2
        everything = b"\n".join(posted.sent)
        params = StretchParams()
        row = await world.core.database.fetch_one("select salt, memory_kib, passes, lanes from logins", {})
        assert row is not None
        assert tuple(row[1:]) == (params.memory_kib, params.passes, params.lanes)
        salt = row[0]
        assert isinstance(salt, bytes)
        stretched = posted.stretched[0]
        assert posted.stretched == [stretched, stretched]
        wrapping = wrapping_key(stretched, salt=salt, params=params)
        for secret in (PASSWORD.encode(), stretched.reveal(), wrapping.reveal()):
            for form in forms(secret):
                assert form not in everything
        sent = login_secret(stretched, salt=salt, params=params)
        assert encode_b64u(sent.reveal()).encode() in everything  # the search sees into envelopes
        assert logged_in.halves.login_secret == sent


@pytest.mark.parametrize("scheme", list(ServerHash))
async def test_req_M3_what_is_stored_is_a_verifier_of_the_login_secret_by_the_scheme_chosen(
    tmp_path: Path, scheme: ServerHash
) -> None:
    async with open_world(tmp_path, passwords__server_hash=scheme.value) as world:

        def pepper(version: int) -> Secret:
            return derive(world.core.keys.data.get(DataKeyPurpose.PEPPER, version), Label.PEPPER)

        anna = await world.register("anna", email="anna@example.org")
        for identifier in ("anna", "anna@example.org"):
            logged_in = await world.log_in(identifier, prover=anna.prover)
            assert logged_in.answer.grant is not None
            row = await world.core.database.fetch_one(
                "select verifier from logins where identifier_key = :key",
                {"key": ("e:" if "@" in identifier else "u:") + identifier},
            )
            assert row is not None
            verifier = row[0]
            assert isinstance(verifier, bytes)
            assert scheme_of(verifier) is scheme
            assert check_verifier(verifier, logged_in.halves.login_secret, peppers=pepper)
            assert not check_verifier(verifier, Secret(PASSWORD.encode()), peppers=pepper)
            assert not check_verifier(verifier, logged_in.halves.wrapping_key, peppers=pepper)
        refused = await try_login(world, "anna", encode_b64u(bytes(32)))
        assert refused.status_code == 403
