"""Schemathesis against a running server: requests made from the OpenAPI document, each answer held against it.

`Trial.run` sends cases until there were enough, with all of Schemathesis' checks. `unsealed` shows it the payloads in
place of the envelopes that carry them; `Sealer` then seals each one to the server's real key, so that what is generated
reaches what lies behind the envelope.
"""

import copy
import itertools
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import jsonschema_rs
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.transport.requests import REQUESTS_TRANSPORT, json_serializer
from tests.kits.api_members import Member, Town

from watchword.client.flows.account import DeviceKeys
from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.core.secret import Secret
from watchword.crypto.jwe import decode_jwe
from watchword.crypto.kdf import Label, derive
from watchword.protocol.device_proof import prove_device
from watchword.protocol.envelope import NEEDS_SHORT_KEY, Purpose, envelope_digest, seal_envelope

Document = dict[str, Any]
STANDS_FOR: Final = ("identifier", "username", "login_secret", "credential", "keys", "chest", "logins")
"""Members that no generator would guess: "@name" in one means a good one."""
_MAX_PLAIN: Final = 48 * 1024
_MAX_REPLY: Final = 131_072
_REJECTED: Final = ["400", "401", "403", "404", "405", "409", "413", "415"]


def unsealed(document: Document, *, good: bool) -> Document:
    """The sealed operations alone, each with its payload as its body.

    `good`: none of the members above is made up, and all of the payload is as it should be.
    """
    made = copy.deepcopy(document)
    made["paths"] = {
        path: place for path, place in made["paths"].items() if "x-sealed" in place.get("post", {})
    }
    made["x-mode"] = "positive" if good else "all"
    for place in made["paths"].values():
        for operation in place.values():
            if isinstance(operation, dict) and "x-sealed" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                content["schema"] = operation["x-sealed"]["payload"]
    for schema in made["components"]["schemas"].values():
        for name in set(STANDS_FOR) & schema.get("properties", {}).keys():
            if schema["title"].endswith("Payload"):
                known, usual = {"const": f"@{name}"}, schema["properties"][name]
                schema["properties"][name] = known if good else {"anyOf": [known, usual]}
    return made


@dataclass
class Sealer:
    """Seals what was generated, and remembers what opens the answer.

    `member` logs in and enrols devices; each login with a device ends the session before it, so passwords are those of
    `owner`, whose token stays good.
    """

    town: Town
    member: Member
    owner: Member
    _keys: DeviceKeys | None = None
    _reply_keys: dict[str, Secret] = field(default_factory=dict)
    _made: dict[str | None, tuple[list[Any], Any]] = field(default_factory=dict)
    _count: int = 0

    def seal(self, purpose: Purpose, payload: Any) -> bytes:
        """The body of a request: an envelope, and a device's signature where one is looked at."""
        self._count += 1
        name = payload.get("identifier", payload.get("username")) if isinstance(payload, dict) else None
        if not isinstance(name, str) or name.startswith("@") or len(name) > 64:
            name = self._name(purpose)
        short_key, secret = self.town.begin(name, purpose) if purpose in NEEDS_SHORT_KEY else (None, "")
        plain = json.dumps(self._filled(purpose, payload, name, secret), default=str).encode()[:_MAX_PLAIN]
        envelope = seal_envelope(plain, self.town.to, purpose, short_key=short_key)
        self._remember(envelope.text, payload)
        return json.dumps({"envelope": envelope.text, **self._proof(purpose, envelope.digest)}).encode()

    def _name(self, purpose: Purpose) -> str:
        if purpose is Purpose.REGISTER:
            return f"new-{self._count}"
        return self.owner.name if purpose is Purpose.PASSWORD else self.member.name

    def _filled(self, purpose: Purpose, payload: Any, name: str, secret: str) -> Any:
        """The payload with good values where it asks for them."""
        if not isinstance(payload, dict):
            return payload
        whose = self.owner.name if purpose is Purpose.PASSWORD else None
        makers: dict[str, Callable[[], Any]] = {
            "identifier": lambda: name,
            "username": lambda: name,
            "login_secret": lambda: secret,
            "credential": lambda: self.town.credential(self.member.name),
            "keys": self._new_keys,
            "logins": lambda: self._secrets(whose)[0],
            "chest": lambda: self._secrets(whose)[1],
        }
        asked = {key for key in makers if payload.get(key) == f"@{key}"}
        return {**payload, **{key: makers[key]() for key in asked}}

    def _secrets(self, name: str | None) -> tuple[list[Any], Any]:
        """The same for every payload: a login and a chest of two payloads must still belong together."""
        if name not in self._made:
            self._made[name] = self.town.new_secrets(name)
        return self._made[name]

    def _new_keys(self) -> dict[str, str]:
        self._keys = DeviceKeys.generate(self.town.entropy)
        public = self._keys.public()
        return {
            "signing": public.signing,
            "message_signing": public.message_signing,
            "sealing": public.sealing,
        }

    def _proof(self, purpose: Purpose, digest: bytes) -> dict[str, str]:
        if purpose is Purpose.ENROL and self._keys is not None:
            return {"signature": prove_device(self._keys.signing, digest)}
        if purpose is Purpose.LOGIN and self._count % 2:
            signature = prove_device(self.member.prover.key, digest)
            return {"device": self.member.prover.device_id or "", "signature": signature}
        return {}

    def _remember(self, envelope: str, payload: Any) -> None:
        reply_key = payload.get("reply_key") if isinstance(payload, dict) else None
        if isinstance(reply_key, str) and len(reply_key) == 43 and reply_key.isascii():
            self._reply_keys[envelope] = Secret(decode_b64u(reply_key))

    def open(self, purpose: Purpose, envelope: str, sealed: str) -> Any:
        """The answer inside a sealed answer."""
        key = derive(self._reply_keys[envelope], Label.REPLY, context=purpose.value.encode())
        text = decode_jwe(sealed, key, kid=purpose.value, typ="watchword-reply+jwe", max_size=_MAX_REPLY)
        opened = json.loads(text)
        assert opened["req"] == encode_b64u(envelope_digest(envelope))
        return opened["answer"]


@dataclass
class Trial:
    """Cases against one server, and what became of them. `token` gives each operation its caller's, if any.

    Of several documents, each in turn is the one that cases are made from.
    """

    documents: Sequence[Document]
    town: Town
    token: Callable[[str], str] | None = None
    sealer: Sealer | None = None
    cases: int = 0
    answers: dict[str, Counter[int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def run(self, *, wanted: int, examples: int, seed: int, coverage: bool) -> None:
        """Every form there is if `coverage`, and then by chance until `wanted` cases are sent."""
        for document in self.documents if coverage else ():
            self._run(document, seed, examples, coverage=True)
        for document in itertools.cycle(self.documents):
            if self.cases >= wanted or self.failures:
                return
            seed += 1
            self._run(document, seed, examples, coverage=False)

    def _run(self, document: Document, seed: int, examples: int, *, coverage: bool) -> None:
        mode = document.get("x-mode", "all")
        config = self._config(seed, examples, mode, coverage=coverage)
        schema = schemathesis.openapi.from_dict(copy.deepcopy(document), config=config)
        if self.token is not None:
            _register(schema, self.token)
        REQUESTS_TRANSPORT.serializer("application/json", "text/json")(self._serialize)
        try:
            for event in from_schema(schema).execute():
                self._take(event)
        finally:
            REQUESTS_TRANSPORT.serializer("application/json", "text/json")(json_serializer)

    def _config(self, seed: int, examples: int, mode: str, *, coverage: bool) -> SchemathesisConfig:
        repeatable = {"extra-data-sources": {"responses": False}}  # ids of earlier answers differ in each run
        return SchemathesisConfig.from_dict(
            {
                "seed": seed,
                "base-url": self.town.origin,
                "tls-verify": str(self.town.ca),
                "workers": 1,
                "phases": {
                    "stateful": {"enabled": False},  # there are no links
                    "examples": {"enabled": False},  # nor examples
                    "coverage": {"enabled": coverage, **repeatable},
                    "fuzzing": {"error-feedback": {"enabled": False}, **repeatable},
                },
                "generation": {
                    "mode": mode,
                    "max-examples": examples,
                    "database": "none",
                    "no-shrink": True,
                },
                "checks": {"negative_data_rejection": {"expected-statuses": _REJECTED}},
                "operations": [
                    {
                        "include-operation-id": "issueToken",  # no pattern says which texts are an origin
                        "checks": {
                            "positive_data_acceptance": {"expected-statuses": ["201", "400", "401", "403"]}
                        },
                    }
                ],
            }
        )

    def _serialize(self, context: Any, value: Any) -> dict[str, Any]:
        sealed = context.case.operation.definition.raw.get("x-sealed")
        if sealed is None or self.sealer is None:
            return dict(json_serializer(context, value))
        return {"data": self.sealer.seal(Purpose(sealed["purpose"]), value)}

    def _take(self, event: Any) -> None:
        if isinstance(event, events.NonFatalError | events.FatalError):
            self.failures.append(f"Schemathesis itself: {event}")
        if not isinstance(event, events.ScenarioFinished):
            return
        counts = self.answers.setdefault(event.recorder.label, Counter())
        for interaction in event.recorder.interactions.values():
            self.cases += 1
            counts[interaction.response.status_code if interaction.response else 0] += 1
            self._check_inside(event.recorder.label, interaction)
        for checks in event.recorder.checks.values():
            self.failures += [_tell(check) for check in checks if check.failure_info is not None]

    def _check_inside(self, label: str, interaction: Any) -> None:
        """Hold the answer inside a sealed answer against the document."""
        method, _, path = label.partition(" ")
        sealed = self.documents[0]["paths"][path][method.lower()].get("x-sealed")
        answer = interaction.response
        if sealed is None or self.sealer is None or answer is None or answer.status_code >= 300:
            return
        envelope = json.loads(interaction.request.body)["envelope"]
        opened = self.sealer.open(Purpose(sealed["purpose"]), envelope, answer.json()["sealed"])
        schema = {**sealed["answer"], "components": self.documents[0]["components"]}
        for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(opened):
            self.failures.append(f"{label}: inside the sealed answer: {error.message}")


def _register(schema: Any, token: Callable[[str], str]) -> None:
    """Give each case the token of its caller."""

    @schema.auth(refresh_interval=None)
    class _Token:
        def get(self, case: Any, _context: Any) -> str:
            return token(case.operation.label)

        def set(self, case: Any, data: str, _context: Any) -> None:
            case.headers["Authorization"] = f"Bearer {data}"


def _tell(check: Any) -> str:
    failure = check.failure_info.failure
    return f"{check.name}: {failure.operation}: {failure.title}\n{failure.message}\n{check.failure_info.code_sample}"[
        :2000
    ]


def totals(answers: Mapping[str, Counter[int]]) -> Counter[int]:
    """All statuses, and how often each came."""
    return sum(answers.values(), Counter())
