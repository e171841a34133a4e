"""Registering, logging in, enrolling a device, changing the password."""

from dataclasses import dataclass

from watchword.client.effects import Flow
from watchword.client.flows.passwords import Kind, StretchedLogin, new_splits, stretch_for
from watchword.client.flows.sealed import Prover, ReplyKey, begin, beginning_again, exchange
from watchword.core.encoding import encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.device_keys import DeviceSigningKey
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.protocol.chest import Chest, RecoveryKey, open_chest
from watchword.protocol.envelope import Purpose, Recipient
from watchword.protocol.messages import (
    DevicePublicKeys,
    EnrolAnswer,
    EnrolPayload,
    LoginAnswer,
    LoginPayload,
    PasswordAnswer,
    PasswordPayload,
    RegisterAnswer,
    RegisterPayload,
)
from watchword.protocol.wire import encode_message


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKeys:
    """The three key pairs of a device; they never leave it."""

    signing: DeviceSigningKey
    message_signing: DeviceSigningKey
    sealing: SealingPrivateKey

    @classmethod
    def generate(cls, entropy: Entropy) -> "DeviceKeys":
        return cls(
            signing=DeviceSigningKey.generate(entropy),
            message_signing=DeviceSigningKey.generate(entropy),
            sealing=SealingPrivateKey.generate(Suite.HYBRID, entropy),
        )

    def public(self) -> DevicePublicKeys:
        return DevicePublicKeys(
            signing=encode_b64u(self.signing.public.to_bytes()),
            message_signing=encode_b64u(self.message_signing.public.to_bytes()),
            sealing=encode_b64u(self.sealing.public.to_bytes()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """What a person chose at registration; names and password have passed our own checks."""

    username: str
    password: Secret
    email: str | None = None
    display_name: str | None = None
    invitation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """The server's answer, and the halves of the password that opened it."""

    answer: LoginAnswer
    halves: StretchedLogin
    kind: Kind

    def open_chest(self) -> Chest:
        return open_chest(self.answer.chest, self.halves.wrapping_key, kind=self.kind)


def kind_of(identifier: str) -> Kind:
    return "email" if "@" in identifier else "username"


def register(
    new: NewAccount, recovery: RecoveryKey, *, to: Recipient, entropy: Entropy
) -> Flow[RegisterAnswer]:
    """Make the account, its chest and its splits. Raises `RefusedError`, whatever the server's reason."""
    kinds: list[Kind] = ["username", "email"] if new.email is not None else ["username"]
    chest = Chest.create(recovery, entropy)
    splits, body = yield from new_splits(new.password, kinds, chest, entropy)

    def attempt() -> Flow[RegisterAnswer]:
        begun = yield from begin(new.username, Purpose.REGISTER, to=to, entropy=entropy)
        reply_key = ReplyKey.generate(entropy)
        payload = RegisterPayload(
            username=new.username,
            email=new.email,
            display_name=new.display_name,
            invitation=new.invitation,
            logins=splits,
            chest=body,
            recovery_secret=encode_b64u(recovery.secret().reveal()),
            reply_key=reply_key.text,
        )
        return (
            yield from exchange(
                "/api/register",
                encode_message(payload),
                RegisterAnswer,
                to=to,
                purpose=Purpose.REGISTER,
                reply_key=reply_key,
                short_key=begun.short_key,
            )
        )

    return (yield from beginning_again(attempt))


def log_in(
    identifier: str, password: Secret, *, to: Recipient, entropy: Entropy, prover: Prover | None = None
) -> Flow[LoggedIn]:
    """Prove the password, and the device if there is one. Raises `RefusedError`."""
    header = prover.header if prover else None

    def attempt() -> Flow[LoggedIn]:
        begun = yield from begin(identifier, Purpose.LOGIN, to=to, entropy=entropy, header=header)
        halves = yield from stretch_for(begun, password)
        reply_key = ReplyKey.generate(entropy)
        payload = LoginPayload(
            identifier=identifier,
            login_secret=encode_b64u(halves.login_secret.reveal()),
            reply_key=reply_key.text,
        )
        answer = yield from exchange(
            "/api/login",
            encode_message(payload),
            LoginAnswer,
            to=to,
            purpose=Purpose.LOGIN,
            reply_key=reply_key,
            short_key=begun.short_key,
            prover=prover,
            header=header,
        )
        return LoggedIn(answer=answer, halves=halves, kind=kind_of(identifier))

    return (yield from beginning_again(attempt))


def enrol(
    credential: str, device_name: str, keys: DeviceKeys, *, to: Recipient, entropy: Entropy
) -> Flow[EnrolAnswer]:
    """Add this device. Safe to repeat with the same credential and keys."""
    reply_key = ReplyKey.generate(entropy)
    payload = EnrolPayload(
        credential=credential, device_name=device_name, keys=keys.public(), reply_key=reply_key.text
    )
    return (
        yield from exchange(
            "/api/devices",
            encode_message(payload),
            EnrolAnswer,
            to=to,
            purpose=Purpose.ENROL,
            reply_key=reply_key,
            prover=Prover(key=keys.signing),
            repeatable=True,  # docs/protocol/enrol.md, step 12
        )
    )


def change_password(
    logged_in: LoggedIn, identifier: str, new_password: Secret, *, to: Recipient, entropy: Entropy
) -> Flow[PasswordAnswer]:
    """Replace the password of an account whose device has just logged in. Raises `RefusedError`."""
    grant = logged_in.answer.grant
    if grant is None:
        raise ValueError("a password is changed from a signed-in device")
    kinds: list[Kind] = ["username", "email"] if logged_in.answer.account.email else ["username"]
    chest = logged_in.open_chest().renewed(entropy)
    splits, body = yield from new_splits(new_password, kinds, chest, entropy)

    def attempt() -> Flow[PasswordAnswer]:
        begun = yield from begin(identifier, Purpose.PASSWORD, to=to, entropy=entropy)
        reply_key = ReplyKey.generate(entropy)
        payload = PasswordPayload(
            identifier=identifier,
            login_secret=encode_b64u(logged_in.halves.login_secret.reveal()),
            logins=splits,
            chest=body,
            reply_key=reply_key.text,
        )
        return (
            yield from exchange(
                "/api/password",
                encode_message(payload),
                PasswordAnswer,
                to=to,
                purpose=Purpose.PASSWORD,
                reply_key=reply_key,
                short_key=begun.short_key,
                access_token=Secret.from_text(grant.access_token),
            )
        )

    return (yield from beginning_again(attempt))
