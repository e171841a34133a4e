"""What a device keeps in its vault, by name: its keys, its session, and the newest key document that it has seen."""

from collections.abc import Mapping
from typing import Final

from watchword.client.flows.account import DeviceKeys
from watchword.client.flows.sealed import Prover
from watchword.client.vault import OpenVault, Owner
from watchword.core.clock import Instant
from watchword.core.encoding import decode_b64u_sized, encode_b64u
from watchword.core.ids import DeviceId
from watchword.core.secret import Secret
from watchword.crypto.device_keys import DeviceSigningKey
from watchword.errors import DamagedError, MalformedError
from watchword.protocol.device_header import HeaderKey
from watchword.protocol.messages import EnrolAnswer, SessionGrant

SESSION: Final = "WATCHWORD_SESSION"
SESSION_ENTRIES: Final = (
    SESSION,
    "WATCHWORD_SIGN_IN_TOKEN",
    "WATCHWORD_ACCESS_TOKEN",
    "WATCHWORD_ACCESS_TOKEN_EXPIRES_AT",
)
DOCUMENT_NUMBER: Final = "WATCHWORD_KEY_DOCUMENT_NUMBER"
_KEY_SIZE: Final = 32


def prover_of(vault: OpenVault) -> Prover:
    """The device, able to prove itself. Raises `DamagedError`."""
    try:
        seed = Secret(decode_b64u_sized(vault.get("WATCHWORD_SIGNING_KEY"), _KEY_SIZE))
    except MalformedError as error:
        raise DamagedError("the vault holds no signing key") from error
    return Prover(
        key=DeviceSigningKey.from_seed(seed),
        device_id=vault.get("WATCHWORD_DEVICE"),
        header=header_key_of(vault),
    )


def header_key_of(vault: OpenVault) -> HeaderKey | None:
    """What makes device headers; None for a device that was given no client key yet. Raises `DamagedError`."""
    if "WATCHWORD_CLIENT_KEY" not in vault.entries:
        return None
    try:
        return HeaderKey(
            device=DeviceId.parse(vault.get("WATCHWORD_DEVICE")),
            client_key=Secret(decode_b64u_sized(vault.get("WATCHWORD_CLIENT_KEY"), _KEY_SIZE)),
            seed_version=int(vault.get("WATCHWORD_SEED_VERSION")),
            issuer=vault.owner.issuer,
        )
    except (MalformedError, ValueError) as error:
        raise DamagedError("the vault holds no client key") from error


def live_access_token(vault: OpenVault, *, now: Instant, margin: int) -> Secret | None:
    """The session's access token, unless it ends within `margin` milliseconds."""
    expires_at = int(vault.entries.get("WATCHWORD_ACCESS_TOKEN_EXPIRES_AT", "0"))
    if now + margin >= expires_at:
        return None
    return Secret.from_text(vault.get("WATCHWORD_ACCESS_TOKEN"))


def stored_number(vault: OpenVault | None) -> int:
    """The number of the newest key document that this device has seen; 1 where it has seen none."""
    return int(vault.entries.get(DOCUMENT_NUMBER, "1")) if vault else 1


def new_vault(
    answer: EnrolAnswer, keys: DeviceKeys, *, server: str, issuer: str, root_pem: str, number: int
) -> tuple[Owner, Mapping[str, str]]:
    """Whose vault a device that has just been enrolled gets, and what is in it."""
    owner = Owner(
        server=server,
        issuer=issuer,
        username=answer.account.username,
        account=answer.account.id,
        root=root_pem,
        password_version=answer.grant.seed_version,
    )
    entries = {
        **_device_entries(answer, keys),
        **session_entries(answer.grant),
        DOCUMENT_NUMBER: str(number),
    }
    return owner, entries


def _device_entries(answer: EnrolAnswer, keys: DeviceKeys) -> dict[str, str]:
    return {
        "WATCHWORD_DEVICE": answer.device,
        "WATCHWORD_SIGNING_KEY": encode_b64u(keys.signing.seed().reveal()),
        "WATCHWORD_MESSAGE_SIGNING_KEY": encode_b64u(keys.message_signing.seed().reveal()),
        "WATCHWORD_SEALING_KEY": encode_b64u(keys.sealing.seed().reveal()),
    }


def session_entries(grant: SessionGrant) -> dict[str, str]:
    return {
        "WATCHWORD_SESSION": grant.session.id,
        "WATCHWORD_SIGN_IN_TOKEN": grant.sign_in_token,
        "WATCHWORD_ACCESS_TOKEN": grant.access_token,
        "WATCHWORD_ACCESS_TOKEN_EXPIRES_AT": str(grant.access_token_expires_at),
        "WATCHWORD_CLIENT_KEY": grant.client_key,
        "WATCHWORD_SEED_VERSION": str(grant.seed_version),
    }
