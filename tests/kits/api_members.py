"""People at a running server, for tests of its HTTP API: registered without a slow stretch, and with tokens at hand."""

import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from cryptography import x509

from watchword.client.drive import drive
from watchword.client.effects import Call, Effect, Flow, Reply, T
from watchword.client.flows import account
from watchword.client.flows.account import DeviceKeys, LoggedIn, NewAccount
from watchword.client.flows.passwords import new_splits
from watchword.client.flows.sealed import Prover, begin, recipient_of
from watchword.client.transport import error_of
from watchword.core.clock import SystemClock
from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.core.secret import Secret
from watchword.crypto.passwords import StretchParams, login_secret
from watchword.protocol.chest import Chest, RecoveryKey
from watchword.protocol.envelope import Purpose, Recipient
from watchword.protocol.keydocument import root_fingerprint, verify_key_document
from watchword.testing import SeededEntropy

_STRETCHED: Final = Secret(b"\x07" * 32)
"""What every password comes to here: the server cannot tell, and Argon2id takes its time."""
_PASSWORD: Final = Secret(b"violet kangaroo plays chess")
_RENEW_AFTER_S: Final = 300


@dataclass
class Town:
    """A server, and how to speak to it."""

    origin: str
    ca: Path
    entropy: SeededEntropy = field(default_factory=lambda: SeededEntropy("town"))

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cafile=str(self.ca))
        self.http = httpx.Client(base_url=self.origin, verify=context, trust_env=False, timeout=30)
        document = self.http.get("/.well-known/watchword-keys").text
        pin = root_fingerprint(x509.load_pem_x509_certificate(self.ca.read_bytes()))
        self.to: Recipient = recipient_of(
            verify_key_document(document, pin=pin, now=SystemClock().now(), at_least=1)
        )

    def run(self, flow: Flow[T]) -> T:
        return drive(flow, self._perform)

    def _perform(self, effect: Effect) -> Reply:
        if not isinstance(effect, Call):
            return _STRETCHED
        headers = {"content-type": "application/json"}
        if effect.access_token is not None:
            headers["authorization"] = f"Bearer {effect.access_token.reveal().decode()}"
        body = msgspec.json.encode(effect.body) if effect.body else None
        answer = self.http.request(effect.method, effect.path, headers=headers, content=body)
        if answer.status_code >= 300:
            raise error_of(answer.status_code, answer.content)
        return answer.content

    def begin(self, identifier: str, purpose: Purpose) -> tuple[str, str]:
        """A short key, and the login secret that is good for this name if it is somebody's here."""
        begun = self.run(begin(identifier, purpose, to=self.to, entropy=self.entropy))
        form = begun.stretch
        params = StretchParams(memory_kib=form.memory_kib, passes=form.passes, lanes=form.lanes)
        secret = login_secret(_STRETCHED, salt=decode_b64u(begun.salt), params=params)
        return begun.short_key, encode_b64u(secret.reveal())

    def new_secrets(self, name: str | None = None) -> tuple[list[Any], Any]:
        """A good `logins` and the `chest` that belongs to it: for a new password of `name`, or a registration."""
        if name is None:
            chest = Chest.create(RecoveryKey.generate(self.entropy), self.entropy)
        else:
            chest = self._log_in(name).open_chest().renewed(self.entropy)
        splits, body = self.run(new_splits(_PASSWORD, ["username"], chest, self.entropy))
        return msgspec.to_builtins(splits), msgspec.to_builtins(body)

    def credential(self, name: str) -> str:
        """A temporary token: what a login without a device gets."""
        token = self._log_in(name).answer.temporary_token
        assert token is not None
        return token

    def _log_in(self, name: str, prover: Prover | None = None) -> LoggedIn:
        return self.run(account.log_in(name, _PASSWORD, to=self.to, entropy=self.entropy, prover=prover))

    def move_in(self, name: str) -> "Member":
        """Register somebody, and enrol a device."""
        recovery = RecoveryKey.generate(self.entropy)
        new = NewAccount(username=name, password=_PASSWORD)
        token = self.run(account.register(new, recovery, to=self.to, entropy=self.entropy)).temporary_token
        keys = DeviceKeys.generate(self.entropy)
        enrolled = self.run(account.enrol(token, "a device", keys, to=self.to, entropy=self.entropy))
        prover = Prover(key=keys.signing, device_id=enrolled.device)
        return Member(self, name, prover, enrolled.grant.access_token, enrolled.grant.session.id)

    def close(self) -> None:
        self.http.close()


@dataclass
class Member:
    """Somebody with a signed-in device."""

    town: Town
    name: str
    prover: Prover
    token: str
    session: str
    _since: float = field(default_factory=time.monotonic)

    def log_in(self) -> None:
        grant = self.town._log_in(self.name, self.prover).answer.grant
        assert grant is not None
        self.token, self.session, self._since = grant.access_token, grant.session.id, time.monotonic()

    def good_token(self) -> str:
        """A token that lives for minutes more."""
        if time.monotonic() - self._since > _RENEW_AFTER_S:
            self.log_in()
        return self.token
