"""The payloads of the sealed exchanges, field by field (docs/protocol/{login,register,enrol,password}.md).

Byte strings travel as base64url. Instants are milliseconds since 1970.
The patterns are for the documentation: whoever uses a value decodes it, which is stricter and says less.
"""

from typing import Annotated, Final, Literal

import msgspec

from watchword.protocol.wire import Blob, LongBlob, Message, ShortText, SmallCount

_32_BYTES: Final = {"pattern": "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"}
_16_BYTES: Final = {"pattern": "^[A-Za-z0-9_-]{21}[AQgw]$"}
_64_BYTES: Final = {"pattern": "^[A-Za-z0-9_-]{85}[AQgw]$"}
_ENVELOPE: Final = {"pattern": r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"}
ReplyKey = Annotated[str, msgspec.Meta(min_length=43, max_length=43, extra_json_schema=_32_BYTES)]
"""32 random bytes, base64url."""
SecretText = Annotated[str, msgspec.Meta(min_length=43, max_length=43, extra_json_schema=_32_BYTES)]
"""32 secret bytes, base64url."""


class SealedRequest(Message, frozen=True):
    """The body of each sealed endpoint. `device` and `signature` prove a device over the envelope's hash."""

    envelope: Annotated[str, msgspec.Meta(max_length=65000, extra_json_schema=_ENVELOPE)]
    device: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    signature: (
        Annotated[str, msgspec.Meta(min_length=86, max_length=86, extra_json_schema=_64_BYTES)] | None
    ) = None


class SealedAnswer(Message, frozen=True):
    sealed: Annotated[str, msgspec.Meta(max_length=131072)]


class StretchBody(Message, frozen=True):
    """Parameters of Argon2id v1.3: memory in KiB, passes, lanes."""

    alg: Literal["argon2id"]
    memory_kib: SmallCount
    passes: SmallCount
    lanes: SmallCount


class BeginPayload(Message, frozen=True):
    purpose: Literal["login", "register", "password"]
    identifier: ShortText
    reply_key: ReplyKey


class BeginAnswer(Message, frozen=True):
    short_key: str
    salt: str
    stretch: StretchBody
    server_time: int


class LoginSplit(Message, frozen=True):
    """One login identifier's own salt, the secret it logs in with, and the chest key wrapped for it."""

    kind: Literal["username", "email"]
    salt: Annotated[str, msgspec.Meta(min_length=22, max_length=22, extra_json_schema=_16_BYTES)]
    stretch: StretchBody
    login_secret: SecretText
    wrapped_chest_key: Blob


class ChestBody(Message, frozen=True):
    """What the server keeps of the chest: public halves, and the sealed rest."""

    version: Annotated[int, msgspec.Meta(ge=1, le=1 << 31)]
    identity_key: Blob
    archive_key: Blob
    archive_generation: Annotated[int, msgspec.Meta(ge=1, le=1 << 31)]
    sealed: LongBlob
    recovery_key: Blob
    recovery_wrapped: Blob


class RegisterPayload(Message, frozen=True):
    username: ShortText
    logins: Annotated[list[LoginSplit], msgspec.Meta(min_length=1, max_length=2)]
    chest: ChestBody
    recovery_secret: SecretText
    reply_key: ReplyKey
    email: ShortText | None = None
    display_name: ShortText | None = None
    invitation: Annotated[str, msgspec.Meta(max_length=128)] | None = None


class AccountBody(Message, frozen=True):
    id: str
    username: str
    level: int
    email: str | None = None
    display_name: str | None = None


class RegisterAnswer(Message, frozen=True):
    account: AccountBody
    temporary_token: str
    temporary_token_expires_at: int
    server_time: int


class LoginPayload(Message, frozen=True):
    """`browser` asks for the session as a cookie as well (docs/protocol/browser.md)."""

    identifier: ShortText
    login_secret: SecretText
    reply_key: ReplyKey
    browser: bool = False


class WrappedChest(Message, frozen=True):
    """The chest, openable with the password that has just logged in."""

    version: int
    sealed: str
    wrapped_key: str


class SessionBody(Message, frozen=True):
    id: str
    device: str
    created_at: int
    expires_at: int
    ends_at: int
    address: str = ""
    user_agent: str = ""
    device_name: str = ""
    current: bool = False


class SessionGrant(Message, frozen=True):
    """What a device gets when it is signed in."""

    session: SessionBody
    sign_in_token: str
    access_token: str
    access_token_expires_at: int
    client_key: SecretText
    seed_version: int


class LoginAnswer(Message, frozen=True):
    """With a proven device a `grant`; without one a temporary token, good for enrolling this device only."""

    account: AccountBody
    chest: WrappedChest
    server_time: int
    grant: SessionGrant | None = None
    temporary_token: str | None = None
    temporary_token_expires_at: int | None = None


class DevicePublicKeys(Message, frozen=True):
    signing: SecretText
    message_signing: SecretText
    sealing: Blob
    """MLKEM768-X25519 public key, 1216 bytes."""


class EnrolPayload(Message, frozen=True):
    """`browser` asks for the session as a cookie as well (docs/protocol/browser.md)."""

    credential: Annotated[str, msgspec.Meta(max_length=256)]
    device_name: ShortText
    keys: DevicePublicKeys
    reply_key: ReplyKey
    browser: bool = False


class EnrolAnswer(Message, frozen=True):
    account: AccountBody
    device: str
    grant: SessionGrant
    key_document: str
    server_time: int


class PasswordPayload(Message, frozen=True):
    identifier: ShortText
    login_secret: SecretText
    logins: Annotated[list[LoginSplit], msgspec.Meta(min_length=1, max_length=2)]
    chest: ChestBody
    reply_key: ReplyKey


class PasswordAnswer(Message, frozen=True):
    client_key: SecretText
    seed_version: int
    server_time: int


class TokenRequest(Message, frozen=True):
    """`bearer` must be asked for: an unbound token works for whoever holds it. `scopes` narrow what it is for."""

    audience: Annotated[str, msgspec.Meta(max_length=512)]
    bearer: bool
    scopes: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=100)], ...], msgspec.Meta(max_length=32)
    ] = ()


class TokenAnswer(Message, frozen=True):
    access_token: str
    expires_at: int
    token_type: Literal["Bearer"]


class SessionList(Message, frozen=True):
    sessions: list[SessionBody]


class WhoAmI(Message, frozen=True):
    account: AccountBody
    device: str
    device_name: str
    session: str
    expires_at: int
