"""HKDF-SHA-256 (RFC 5869), and the table of every derivation label there is.

One label, one purpose, one output size. A key never serves two purposes, and a label is never reused for another.
"""

import enum
import hmac
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from watchword.core.secret import Secret

KEY_SIZE: Final = 32
_PREFIX: Final = "watchword/v1/"


class Label(enum.Enum):
    """Every label. The value is the HKDF `info` prefix, after "watchword/v1/"."""

    # From the client's stretched password (docs/protocol/login.md).
    LOGIN_SECRET = "password/login"  # noqa: S105  # a label, as the others below
    WRAPPING_KEY = "password/wrap"
    VAULT_KEY = "password/vault"
    VAULT_CHECK = "password/vault-check"
    # From the recovery key.
    RECOVERY_SECRET = "recovery/secret"  # noqa: S105
    RECOVERY_SEED = "recovery/seed"
    # From the generation data key.
    CLIENT_KEY = "device/client-key"
    # From the client key.
    DEVICE_HEADER = "device/header"
    # From a reply key that the client made.
    REPLY = "reply"
    # From data keys.
    PEPPER = "data/pepper"
    SHORT_KEY_MAC = "short-key/mac"
    SHORT_KEY_NAME = "short-key/name"
    SHORT_KEY_NETWORK = "short-key/network"
    DECOY_SALT = "decoy/salt"
    DECOY_GENERATION = "decoy/generation"
    DECOY_LANE = "decoy/lane"
    ONE_TIME = "one-time/verifier"
    SIGN_IN = "sign-in/token"
    BROWSER_COOKIE = "browser/cookie"
    BROWSER_FORM = "browser/form"
    RECOVERY_VERIFIER = "recovery/verifier"
    AUDIT_CHAIN = "audit/chain"
    ADDRESS = "address/keyed"
    OFFENCE_NAME = "offence/name"
    OFFENCE_SOURCE = "offence/source"
    AT_REST = "at-rest"
    ROOT_WRAP = "root/wrap"
    ROOT_CHECK = "root/check"
    # From the random key of one backup.
    BACKUP_STREAM = "backup/stream"


def derive(
    key: Secret, label: Label, *, salt: bytes = b"", context: bytes = b"", size: int = KEY_SIZE
) -> Secret:
    """HKDF-SHA-256 of `key`; `info` is the label, a zero byte, then `context` (empty, or unambiguous by itself)."""
    info = f"{_PREFIX}{label.value}".encode() + b"\0" + context
    return Secret(HKDF(algorithm=SHA256(), length=size, salt=salt or None, info=info).derive(key.reveal()))


def tag(key: Secret, message: bytes, size: int) -> bytes:
    """The first `size` bytes of HMAC-SHA-256 over `message`: to know it again, where it needs no whole MAC."""
    return hmac.digest(key.reveal(), message, "sha256")[:size]


def mac(key: Secret, *parts: bytes) -> bytes:
    """HMAC-SHA-256 over the parts, each preceded by its length in 4 bytes, so that no two lists collide."""
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.digest(key.reveal(), message, "sha256")
