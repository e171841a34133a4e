"""The keys of one version, opened: what requests use. Replaced whole, never changed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import Instant, later
from watchword.core.encoding import encode_b64u, encode_json
from watchword.crypto.authority import Authority, Issued
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.crypto.signing import TokenSigningKey, TokenVerifyingKey
from watchword.errors import DamagedError, MalformedError
from watchword.protocol.keydocument import KeyDocument, PublishedSealingKey, build_key_document, jwk_set
from watchword.server.keys.model import DOCUMENT_LIFE, SEALING_LANES, KeyState, Lane, ServerKey, StoredKeys
from watchword.server.keys.sealing import KeySealer

ROOT: Final = "root"
INTERMEDIATE: Final = "intermediate"
DOCUMENT_SIGNER: Final = "document_signer"
TLS_PREFIX: Final = "tls:"
_TAG_SIZE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSealingKey:
    kid: str
    key: SealingPrivateKey
    is_current: bool
    until: Instant | None
    """Retiring keys open nothing from then on, whether or not the row has gone yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveKeys:
    stored: StoredKeys
    authority: Authority
    signer: Issued
    tls: Mapping[str, Issued]
    """By role."""
    sealing: Mapping[str, OpenSealingKey]
    """By key id."""
    current_sealing: Mapping[Suite, OpenSealingKey]
    signing: TokenSigningKey
    published: tuple[TokenVerifyingKey, ...]
    """Next, current and retiring."""
    verifying: Mapping[str, TokenVerifyingKey]
    """By key id: the published ones, and the retired ones that nobody should accept a token under."""
    jwks: bytes
    jwks_tag: str
    """A strong entity tag, quotes included."""


def open_keys(stored: StoredKeys, sealer: KeySealer) -> LiveKeys:
    """Open everything. Raise `DamagedError` when something is missing, or is not what it says it is."""
    keys = sorted(
        stored.keys, key=lambda key: (key.created_at, key.kid)
    )  # every node publishes the same bytes
    sealing = {key.kid: _open_sealing(key, sealer) for key in keys if key.lane in SEALING_LANES}
    signing = {key.kid: _open_signing(key, sealer) for key in keys if _signs(key)}
    retired = {key.kid: sealer.open_public(key) for key in keys if key.state is KeyState.RETIRED}
    published = tuple(key.public for key in signing.values())
    jwks = encode_json(jwk_set(published))
    certificates = {each.role: sealer.open_certificate(each) for each in stored.certificates}
    try:
        return LiveKeys(
            stored=stored,
            authority=Authority(
                root=certificates[ROOT], intermediate=certificates[INTERMEDIATE], entropy=sealer.entropy
            ),
            signer=certificates[DOCUMENT_SIGNER],
            tls={role: issued for role, issued in certificates.items() if role.startswith(TLS_PREFIX)},
            sealing=sealing,
            current_sealing={
                suite: sealing[_current(stored, lane).kid] for lane, suite in SEALING_LANES.items()
            },
            signing=signing[_current(stored, Lane.SIGNING).kid],
            published=published,
            verifying=retired | {key.kid: key for key in published},
            jwks=jwks,
            jwks_tag=f'"{encode_b64u(hashlib.sha256(jwks).digest()[:_TAG_SIZE])}"',
        )
    except KeyError as missing:
        raise DamagedError(f"a certificate is missing from the stored keys: {missing}") from None


def build_document(live: LiveKeys, *, number: int, now: Instant) -> str:
    """The signed document of these keys."""
    sealing = [
        PublishedSealingKey(kid=key.kid, key=key.key.public, is_current=key.is_current)
        for key in live.sealing.values()
    ]
    document = KeyDocument(
        issuer=live.stored.issuer,
        number=number,
        issued_at=now,
        expires_at=later(now, DOCUMENT_LIFE),
        sealing=tuple(sealing),
        signing=live.published,
    )
    return build_key_document(document, signer=live.signer, root=live.authority.root.certificate)


def tls_role(names: tuple[str, ...]) -> str:
    """Nodes with other names have other certificates; nodes with the same names share one."""
    return TLS_PREFIX + hashlib.sha256("\n".join(names).encode()).hexdigest()[: 2 * _TAG_SIZE]


def sealing_kid(key: SealingPrivateKey) -> str:
    """20 characters of the hash of the public key: the same key has the same id everywhere."""
    return encode_b64u(hashlib.sha256(key.suite.value.encode() + b"\0" + key.public.to_bytes()).digest()[:15])


def _signs(key: ServerKey) -> bool:
    return key.lane is Lane.SIGNING and key.state is not KeyState.RETIRED


def _current(stored: StoredKeys, lane: Lane) -> ServerKey:
    found = [key for key in stored.keys if key.lane is lane and key.state is KeyState.CURRENT]
    if len(found) != 1:
        raise DamagedError(f"there are {len(found)} current keys for {lane.value}; there must be one")
    return found[0]


def _open_sealing(key: ServerKey, sealer: KeySealer) -> OpenSealingKey:
    try:
        opened = SealingPrivateKey.from_seed(SEALING_LANES[key.lane], sealer.open_key(key))
    except MalformedError:
        raise DamagedError("a stored sealing key has another size") from None
    return OpenSealingKey(
        kid=key.kid, key=opened, is_current=key.state is KeyState.CURRENT, until=key.changes_at
    )


def _open_signing(key: ServerKey, sealer: KeySealer) -> TokenSigningKey:
    try:
        return TokenSigningKey.from_private_bytes(sealer.open_key(key))
    except MalformedError:
        raise DamagedError("a stored signing key does not parse") from None
