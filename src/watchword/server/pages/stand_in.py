"""The client's part of signing in, taken by the server for a browser that runs no scripts.

It begins, stretches, seals and enrols through the very services that clients call, so that every check, every refusal,
every audit entry and the time that it all takes are theirs. The keys of the device are made for this one exchange and
thrown away: what stays is a session that the browser's cookie opens.

Here, and nowhere else, the server sees a password. It is in memory while it is stretched, and is kept nowhere; Python
gives no means to overwrite it.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from watchword.core.encoding import decode_b64u_sized, encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.ids import SessionId
from watchword.core.secret import Secret
from watchword.crypto.device_keys import DeviceSigningKey
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.crypto.kdf import KEY_SIZE
from watchword.crypto.passwords import SALT_SIZE, StretchParams, login_secret, stretch
from watchword.errors import BeginAgainError, DamagedError, KeyUnknownError, OverloadedError
from watchword.protocol.device_proof import prove_device
from watchword.protocol.envelope import REPLY_KEY_SIZE, Purpose, Recipient, open_reply, seal_envelope
from watchword.protocol.messages import (
    BeginAnswer,
    BeginPayload,
    DevicePublicKeys,
    EnrolPayload,
    LoginAnswer,
    LoginPayload,
    SealedAnswer,
    SealedRequest,
)
from watchword.protocol.passwords import PasswordRefusedError, prepare
from watchword.protocol.wire import M, Message, encode_message
from watchword.server.context import RequestContext
from watchword.server.sessions.grants import Granted

DEVICE_NAME: Final = "Browser without JavaScript"
MOST_MEMORY_KIB: Final = 128 * 1024
MOST_PASSES: Final = 6
"""What is computed for others: four times what our clients choose. Who registered with more signs in with scripts."""
PLACES: Final = 4
"""Forms at a time: half a gigabyte of memory at most, a second of hashing, and places left for everybody else."""
_RETRY_AFTER: Final = 5

RunSlow = Callable[[Callable[[], Secret]], Awaitable[Secret]]
"""Runs work in the bounded hash pool; raises `OverloadedError` when that is full."""


class Begins(Protocol):
    async def begin(self, request: SealedRequest, context: RequestContext) -> SealedAnswer: ...


class LogsIn(Protocol):
    async def check_held(self, identifier: str) -> None: ...
    async def log_in(self, request: SealedRequest, context: RequestContext) -> Granted: ...


class Enrols(Protocol):
    async def enrol(
        self, request: SealedRequest, context: RequestContext, *, instead_of: SessionId | None = None
    ) -> Granted: ...


class StandIn:
    """Signs in for people. `recipient` gives the server's own current sealing key."""

    def __init__(
        self,
        *,
        begin: Begins,
        login: LogsIn,
        enrolment: Enrols,
        recipient: Callable[[], Recipient],
        run_slow: RunSlow,
        entropy: Entropy,
    ) -> None:
        self._begin = begin
        self._login = login
        self._enrolment = enrolment
        self._recipient = recipient
        self._run_slow = run_slow
        self._entropy = entropy
        self._busy = 0

    async def sign_in(
        self,
        identifier: str,
        password: str,
        context: RequestContext,
        *,
        instead_of: SessionId | None = None,
    ) -> Granted:
        """What the enrolment granted, for the cookie. The browser's earlier session of the same account ends with it.

        Raises `RefusedError` for every bad credential, `TooManyError` while guesses are held, `OverloadedError` where
        there is no place, `MalformedError` for an identifier that is none.
        """
        if self._busy >= PLACES:
            raise OverloadedError(_RETRY_AFTER)
        self._busy += 1
        try:
            prepared = self._prepared(password)
            try:
                return await self._sign_in(identifier, prepared, context, instead_of)
            except (BeginAgainError, KeyUnknownError):  # the queue was long, or a key was rotated meanwhile
                return await self._sign_in(identifier, prepared, context, instead_of)
        finally:
            self._busy -= 1

    def _prepared(self, password: str) -> Secret:
        """What cannot be anybody's password is refused as a wrong one, after the same work."""
        try:
            return prepare(password)
        except PasswordRefusedError:
            return Secret(self._entropy.bytes(KEY_SIZE))

    async def _sign_in(
        self, identifier: str, password: Secret, context: RequestContext, instead_of: SessionId | None
    ) -> Granted:
        begun = await self._ask_how(identifier, context)
        await self._login.check_held(identifier)  # before this server works for whoever guesses
        secret = await self._stretched(begun, password)
        answer = await self._prove(identifier, secret, begun.short_key, context)
        if answer.temporary_token is None:
            raise DamagedError("a login without a device gave no temporary token")
        return await self._enrol(answer.temporary_token, context, instead_of)

    async def _ask_how(self, identifier: str, context: RequestContext) -> BeginAnswer:
        key = self._reply_key()
        payload = BeginPayload(purpose="login", identifier=identifier, reply_key=_text(key))
        request, digest = self._sealed(payload, Purpose.BEGIN)
        answer = await self._begin.begin(request, context)
        return _opened(answer, key, BeginAnswer, Purpose.BEGIN, digest)

    async def _stretched(self, begun: BeginAnswer, password: Secret) -> Secret:
        """The login secret, as a client makes it."""
        salt = decode_b64u_sized(begun.salt, SALT_SIZE)
        asked = StretchParams(
            memory_kib=begun.stretch.memory_kib, passes=begun.stretch.passes, lanes=begun.stretch.lanes
        )
        params = affordable(asked)
        stretched = await self._run_slow(lambda: stretch(password, salt, params))
        return login_secret(stretched, salt=salt, params=params)

    async def _prove(
        self, identifier: str, secret: Secret, short_key: str, context: RequestContext
    ) -> LoginAnswer:
        key = self._reply_key()
        payload = LoginPayload(identifier=identifier, login_secret=_text(secret), reply_key=_text(key))
        request, digest = self._sealed(payload, Purpose.LOGIN, short_key=short_key)
        granted = await self._login.log_in(request, context)
        return _opened(granted.answer, key, LoginAnswer, Purpose.LOGIN, digest)

    async def _enrol(self, credential: str, context: RequestContext, instead_of: SessionId | None) -> Granted:
        signing = DeviceSigningKey.generate(self._entropy)
        payload = EnrolPayload(
            credential=credential,
            device_name=DEVICE_NAME,
            keys=self._public_keys(signing),
            reply_key=_text(self._reply_key()),
            browser=True,
        )
        request, _ = self._sealed(payload, Purpose.ENROL, signing=signing)
        return await self._enrolment.enrol(request, context, instead_of=instead_of)

    def _public_keys(self, signing: DeviceSigningKey) -> DevicePublicKeys:
        """With two more keys that nobody will ever use."""
        message_signing = DeviceSigningKey.generate(self._entropy)
        sealing = SealingPrivateKey.generate(Suite.HYBRID, self._entropy)
        return DevicePublicKeys(
            signing=encode_b64u(signing.public.to_bytes()),
            message_signing=encode_b64u(message_signing.public.to_bytes()),
            sealing=encode_b64u(sealing.public.to_bytes()),
        )

    def _sealed(
        self,
        payload: Message,
        purpose: Purpose,
        *,
        short_key: str | None = None,
        signing: DeviceSigningKey | None = None,
    ) -> tuple[SealedRequest, bytes]:
        """The request that a client would send, and the digest of its envelope."""
        envelope = seal_envelope(encode_message(payload), self._recipient(), purpose, short_key=short_key)
        signature = prove_device(signing, envelope.digest) if signing else None
        return SealedRequest(envelope=envelope.text, signature=signature), envelope.digest

    def _reply_key(self) -> Secret:
        return Secret(self._entropy.bytes(REPLY_KEY_SIZE))


def affordable(asked: StretchParams) -> StretchParams:
    """`asked`; or, where that is too much, what our clients choose: it cannot be right, as a wrong password is not."""
    cheap = asked.memory_kib <= MOST_MEMORY_KIB and asked.passes <= MOST_PASSES
    return asked if cheap else StretchParams()


def _opened(answer: SealedAnswer, key: Secret, kind: type[M], purpose: Purpose, digest: bytes) -> M:
    return open_reply(answer.sealed, key, kind, purpose=purpose, request=digest)


def _text(secret: Secret) -> str:
    return encode_b64u(secret.reveal())
