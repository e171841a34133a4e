"""What is kept of the server's keys. `StoredKeys` is all of it: a change goes from one to the next, whole."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import DAY, MINUTE, SECOND, Instant
from watchword.crypto.hpke import Suite
from watchword.crypto.keyring import DataKeyPurpose

TOKEN_LIFE: Final = 10 * MINUTE
TOKEN_SKEW: Final = 60 * SECOND
NODE_LAG: Final = 2 * MINUTE
"""Every node looks for changes each minute; until then it signs with the key that it knows."""
DOCUMENT_LIFE: Final = 30 * DAY
DOCUMENT_RENEWAL: Final = 20 * DAY
MAX_KEYS_PER_LANE: Final = 6
"""Bounds the published documents: two lanes of sealing keys of 1,216 bytes, and the signing keys."""


class Lane(enum.StrEnum):
    """A succession of keys of which one is current. Values are stored: add, never rename."""

    SIGNING = "signing"
    SEALING_HYBRID = "sealing-hybrid"
    SEALING_X25519 = "sealing-x25519"


SEALING_LANES: Final[Mapping[Lane, Suite]] = {
    Lane.SEALING_HYBRID: Suite.HYBRID,
    Lane.SEALING_X25519: Suite.X25519,
}


class KeyState(enum.StrEnum):
    """NEXT is published and not used; CURRENT is used; RETIRING still verifies or opens.

    Then the row of a sealing key goes. Of a signing key the public half stays, RETIRED: audit checkpoints that it
    signed verify for ever. It is not published, and its private half is gone.
    """

    NEXT = "next"
    CURRENT = "current"
    RETIRING = "retiring"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long keys overlap, in milliseconds."""

    publish_ahead: int = 10 * MINUTE
    """A signing key is published this long before it signs: twice the life of a cached JWKS."""
    signing_overlap: int = TOKEN_LIFE + TOKEN_SKEW + NODE_LAG
    """The last token of the old key has expired everywhere."""
    sealing_grace: int = 24 * 60 * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerKey:
    """A sealing or signing key as stored."""

    kid: str
    lane: Lane
    state: KeyState
    sealed: bytes
    """Sealed at rest: the seed of a sealing key, PKCS #8 of a signing key; RETIRED: the public JWK of one."""
    created_at: Instant
    changes_at: Instant | None = None
    """NEXT: when it becomes current. RETIRING: when it goes. The others: None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A data key under the root key."""

    purpose: DataKeyPurpose
    version: int
    wrapped: bytes
    created_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCertificate:
    role: str
    chain: tuple[bytes, ...]
    """DER, leaf first."""
    sealed: bytes
    """Sealed at rest: PKCS #8 of the private key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKeys:
    """Everything, as of one `version`."""

    version: int
    root_check: bytes
    issuer: str
    document_number: int
    document_issued_at: Instant
    document: str
    data_keys: tuple[WrappedKey, ...]
    keys: tuple[ServerKey, ...]
    certificates: tuple[StoredCertificate, ...]

    def certificate(self, role: str) -> StoredCertificate | None:
        return next((each for each in self.certificates if each.role == role), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus:
    """One line of `watchword keys status`."""

    use: str
    """`signing`, `sealing-…`, `data:…`, `root`, `tls`, …: what `rotate` takes, up to the suite."""
    key: str
    """A key id, a version, or a certificate's serial number."""
    state: str
    created_at: Instant | None
    changes_at: Instant | None


_ONLINE: Final = ""
DATA_KEY_REFUSALS: Final[Mapping[DataKeyPurpose, str]] = {
    DataKeyPurpose.GENERATION: _ONLINE,
    DataKeyPurpose.AT_REST: _ONLINE,
    DataKeyPurpose.SHORT_KEY: _ONLINE,
    DataKeyPurpose.AUDIT: _ONLINE,
    DataKeyPurpose.SIGN_IN: _ONLINE,
    DataKeyPurpose.ONE_TIME: _ONLINE,
    DataKeyPurpose.PEPPER: "the pepper is nested into every stored verifier: it does not rotate on a running server",
    DataKeyPurpose.NAMES: "names keys never rotate online: registration checks names under every live one",
    DataKeyPurpose.DECOY: "the decoy key never rotates online: answers for unknown names would change, and show",
    DataKeyPurpose.RECOVERY: "recovery verifiers do not name the key that made them: it does not rotate online",
}
"""Why a data key does not get another version while the server runs; "" where what it made names its version."""
