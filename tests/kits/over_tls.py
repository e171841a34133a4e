"""Registering and logging in over a `Caller`, with login secrets that no password stands behind."""

import msgspec
from tests.kits.real_server import Caller
from tests.kits.sealed import Payload, fresh, seal_with_header, split

from watchword.core.encoding import encode_b64u, encode_json
from watchword.core.entropy import Entropy
from watchword.protocol.chest import Chest, RecoveryKey, new_chest_key
from watchword.protocol.envelope import Purpose


def header(caller: Caller, purpose: Purpose, key: str) -> dict[str, object]:
    to = caller.recipient()
    return {
        "v": 1,
        "suite": to.key.suite.value,
        "kid": to.kid,
        "purpose": purpose.value,
        "iss": to.issuer,
        "sk": key,
    }


def sealed(caller: Caller, purpose: Purpose, payload: Payload, name: str) -> str:
    key = caller.short_key(name, purpose)
    return seal_with_header(header(caller, purpose, key), encode_json(payload), caller.recipient())


def login(caller: Caller, name: str, secret: str | None = None) -> str:
    payload = {
        "identifier": name,
        "login_secret": secret or fresh(caller.entropy),
        "reply_key": fresh(caller.entropy),
    }
    return sealed(caller, Purpose.LOGIN, payload, name)


def new_account(entropy: Entropy, name: str) -> Payload:
    recovery = RecoveryKey.generate(entropy)
    chest = Chest.create(recovery, entropy).seal(new_chest_key(entropy), entropy)
    return {
        "username": name,
        "logins": [split(entropy)],
        "chest": msgspec.to_builtins(chest),
        "recovery_secret": encode_b64u(recovery.secret().reveal()),
        "reply_key": fresh(entropy),
    }


def register(caller: Caller, name: str) -> str:
    """Make the account; its login secret."""
    payload = new_account(caller.entropy, name)
    status, body, _ = caller.post("/api/register", sealed(caller, Purpose.REGISTER, payload, name))
    assert status == 201, body
    return str(payload["logins"][0]["login_secret"])
