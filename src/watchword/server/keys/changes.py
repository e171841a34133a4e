"""Every change of the keys, as a decision: from what is stored to what shall be, with the events that say so."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import SECOND, Instant
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.authority import Authority
from watchword.crypto.hpke import SealingPrivateKey
from watchword.crypto.kdf import KEY_SIZE
from watchword.crypto.keyring import DataKeyPurpose, DataKeys, RootKey
from watchword.crypto.signing import TokenSigningKey
from watchword.errors import ConflictError
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.keys import schedule
from watchword.server.keys.live import (
    DOCUMENT_SIGNER,
    INTERMEDIATE,
    ROOT,
    LiveKeys,
    build_document,
    open_keys,
    sealing_kid,
    tls_role,
)
from watchword.server.keys.model import (
    DATA_KEY_REFUSALS,
    DOCUMENT_RENEWAL,
    SEALING_LANES,
    TOKEN_SKEW,
    KeyState,
    Lane,
    Policy,
    ServerKey,
    StoredCertificate,
    StoredKeys,
    WrappedKey,
)
from watchword.server.keys.sealing import KeySealer

_DOCUMENT_LEAP: Final = 1 << 20
"""For a clock that stands too early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    after: StoredKeys
    events: tuple[AuditEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChanges:
    """Decides. Reads no clock and no store; asks the entropy for new keys."""

    sealer: KeySealer
    policy: Policy
    entropy: Entropy

    def first(self, root: RootKey, *, issuer: str, now: Instant) -> Change:
        """Everything that a server needs, for the first start. The data keys are those of the sealer."""
        authority = Authority.create(now, self.entropy)
        signer = authority.issue_document_signer(now)
        roles = {ROOT: authority.root, INTERMEDIATE: authority.intermediate, DOCUMENT_SIGNER: signer}
        draft = StoredKeys(
            version=0,
            root_check=root.make_check(self.entropy),
            issuer=issuer,
            document_number=0,
            document_issued_at=now,
            document="",
            data_keys=_wrap_all(self.sealer.data, root, now, self.entropy),
            keys=tuple(self._make(lane, now, KeyState.CURRENT) for lane in Lane),
            certificates=tuple(self.sealer.seal_certificate(role, issued) for role, issued in roles.items()),
        )
        return Change(after=self._signed(draft, now), events=(_event(now, "all", "made"),))

    def upkeep(self, live: LiveKeys, *, issuer: str, names: tuple[str, ...], now: Instant) -> Change | None:
        """What time asks for: states, certificates, records under an old at-rest key, the document's age."""
        keys = schedule.advance(live.stored.keys, now, self.policy)
        keys = tuple(self._without_private(key, live.stored) for key in keys)
        after = dataclasses.replace(live.stored, keys=keys, issuer=issuer)
        after = self._with_certificates(after, live, names, now)
        events = _moves(live.stored, after, now)
        resealed = self.sealer.reseal(after)
        if resealed != after:
            events += (_event(now, f"data:{DataKeyPurpose.AT_REST.value}", "resealed"),)
        if resealed == live.stored and not _document_is_due(live.stored, now):
            return None
        after = resealed
        return Change(after=self._finish(live.stored, after, now), events=events)

    def rotate(self, live: LiveKeys, lanes: Sequence[Lane], *, now: Instant, at_once: bool) -> Change:
        """A new key in each lane. `at_once`: it is used without waiting, and every older key of the lane ends now.

        Raises:
            ConflictError: too many keys of a lane are in use.
        """
        keys = live.stored.keys
        for lane in lanes:
            keys = self._rotated(keys, lane, now=now, at_once=at_once)
        keys = tuple(self._without_private(key, live.stored) for key in keys)
        after = dataclasses.replace(live.stored, keys=keys)
        return Change(after=self._finish(live.stored, after, now), events=_moves(live.stored, after, now))

    def _rotated(
        self, keys: tuple[ServerKey, ...], lane: Lane, *, now: Instant, at_once: bool
    ) -> tuple[ServerKey, ...]:
        if at_once and schedule.waiting(keys, lane) is not None:
            return schedule.hasten(keys, lane)
        new = self._make(lane, now, KeyState.NEXT)
        return schedule.introduce(keys, new, now, self.policy, at_once=at_once)

    def add_data_key(self, live: LiveKeys, purpose: DataKeyPurpose, root: RootKey, *, now: Instant) -> Change:
        """Another version of a data key, which becomes current.

        Raises:
            ConflictError: this purpose does not rotate on a running server; the text says why.
        """
        if DATA_KEY_REFUSALS[purpose]:
            raise ConflictError(DATA_KEY_REFUSALS[purpose])
        version = max(key.version for key in live.stored.data_keys if key.purpose is purpose) + 1
        key = Secret(self.entropy.bytes(KEY_SIZE))
        wrapped = _wrap(key, purpose, version, root, created_at=now, entropy=self.entropy)
        after = dataclasses.replace(live.stored, data_keys=(*live.stored.data_keys, wrapped))
        event = _event(now, f"data:{purpose.value}", "made", str(version))
        return Change(after=self._finish(live.stored, after, now), events=(event,))

    def rewrap(self, live: LiveKeys, fresh: RootKey, *, now: Instant) -> Change:
        """The table of data keys under a new root key; no data key changes."""

        def rewrapped(old: WrappedKey) -> WrappedKey:
            key = self.sealer.data.get(old.purpose, old.version)
            return _wrap(
                key, old.purpose, old.version, fresh, created_at=old.created_at, entropy=self.entropy
            )

        after = dataclasses.replace(
            live.stored,
            root_check=fresh.make_check(self.entropy),
            data_keys=tuple(rewrapped(key) for key in live.stored.data_keys),
        )
        return Change(after=self._finish(live.stored, after, now), events=(_event(now, "root", "rewrapped"),))

    def skip_document_numbers(self, live: LiveKeys, *, now: Instant) -> Change:
        """A new document whose number nobody can have seen, however often older data was put back before.

        Documents are fewer than one a second, so the seconds since 1970 lie above every number that was ever given.
        """
        least = max(live.stored.document_number + _DOCUMENT_LEAP, now // SECOND)
        after = dataclasses.replace(live.stored, version=live.stored.version + 1, document_number=least)
        return Change(after=self._signed(after, now), events=(_event(now, "document", "renumbered"),))

    def renew_tls(self, live: LiveKeys, names: tuple[str, ...], *, now: Instant) -> Change:
        """A new TLS key and certificate, whatever the age of the present one."""
        certificates = {each.role: each for each in live.stored.certificates}
        issued = live.authority.issue_server(names, now)
        certificates[tls_role(names)] = self.sealer.seal_certificate(tls_role(names), issued)
        after = dataclasses.replace(live.stored, certificates=_ordered(certificates))
        return Change(after=self._finish(live.stored, after, now), events=_moves(live.stored, after, now))

    def _make(self, lane: Lane, now: Instant, state: KeyState) -> ServerKey:
        if lane in SEALING_LANES:
            sealing = SealingPrivateKey.generate(SEALING_LANES[lane], self.entropy)
            kid, secret = sealing_kid(sealing), sealing.seed()
        else:
            signing = TokenSigningKey.generate()
            kid, secret = signing.kid, signing.to_private_bytes()
        sealed = self.sealer.seal_key(kid, secret)
        return ServerKey(kid=kid, lane=lane, state=state, sealed=sealed, created_at=now)

    def _without_private(self, key: ServerKey, before: StoredKeys) -> ServerKey:
        """A key that retires just now loses its private half."""
        retires = key.state is KeyState.RETIRED and any(
            old.kid == key.kid and old.state is not KeyState.RETIRED for old in before.keys
        )
        return self.sealer.keep_public(key) if retires else key

    def _with_certificates(
        self, stored: StoredKeys, live: LiveKeys, names: tuple[str, ...], now: Instant
    ) -> StoredKeys:
        """Renew what is past two thirds of its life. A clock before the root's start is taken to stand there."""
        authority, at = live.authority, Instant(max(now, live.authority.root.starts_at))
        if at >= authority.root.ends_at:
            return stored  # nothing that it issues would be believed; the next start says so
        certificates = {each.role: each for each in stored.certificates}
        if authority.intermediate.needs_renewal(at):
            authority = authority.with_new_intermediate(at)
            certificates[INTERMEDIATE] = self.sealer.seal_certificate(INTERMEDIATE, authority.intermediate)
        if live.signer.needs_renewal(at):
            signer = authority.issue_document_signer(at)
            certificates[DOCUMENT_SIGNER] = self.sealer.seal_certificate(DOCUMENT_SIGNER, signer)
        for role in [role for role, issued in live.tls.items() if issued.ends_at <= at]:
            del certificates[role]
        role = tls_role(names)
        if names and (role not in live.tls or live.tls[role].needs_renewal(at)):
            certificates[role] = self.sealer.seal_certificate(role, authority.issue_server(names, at))
        return dataclasses.replace(stored, certificates=_ordered(certificates))

    def _finish(self, before: StoredKeys, after: StoredKeys, now: Instant) -> StoredKeys:
        """The next version; with a new document if what it says has changed or it grows old."""
        after = dataclasses.replace(after, version=before.version + 1)
        if _published(before) == _published(after) and not _document_is_due(before, now):
            return after
        return self._signed(after, now)

    def _signed(self, stored: StoredKeys, now: Instant) -> StoredKeys:
        number = stored.document_number + 1
        document = build_document(open_keys(stored, self.sealer), number=number, now=now)
        return dataclasses.replace(
            stored,
            version=max(stored.version, 1),
            document=document,
            document_number=number,
            document_issued_at=now,
        )


def _published(stored: StoredKeys) -> object:
    """What the document says. Of signing keys it does not tell which one signs."""

    def shown(key: ServerKey) -> tuple[str, str]:
        return key.kid, "" if key.lane is Lane.SIGNING else key.state.value

    signer = stored.certificate(DOCUMENT_SIGNER)
    published = [shown(key) for key in stored.keys if key.state is not KeyState.RETIRED]
    return stored.issuer, sorted(published), signer.chain if signer else ()


def _document_is_due(stored: StoredKeys, now: Instant) -> bool:
    """Old, or dated later than a client's clock could be."""
    return not -TOKEN_SKEW + SECOND <= now - stored.document_issued_at < DOCUMENT_RENEWAL


def _moves(before: StoredKeys, after: StoredKeys, now: Instant) -> tuple[AuditEvent, ...]:
    """One event for each key that came, changed its state or went, and for each certificate."""
    old = {key.kid: key for key in before.keys}
    new = {key.kid: key for key in after.keys}
    events = [
        _event(now, key.lane.value, key.state.value, kid)
        for kid, key in new.items()
        if kid not in old or old[kid].state is not key.state
    ]
    events += [_event(now, key.lane.value, "gone", kid) for kid, key in old.items() if kid not in new]
    chains = {each.role: each.chain for each in before.certificates}
    for certificate in after.certificates:
        if chains.get(certificate.role) != certificate.chain:
            events.append(_event(now, certificate.role.partition(":")[0], "issued"))
    if before.issuer != after.issuer:
        events.append(_event(now, "document", "issuer"))
    return tuple(events)


def _event(now: Instant, use: str, action: str, key: str = "") -> AuditEvent:
    facts = {"use": use, "action": action} | ({"key": key} if key else {})
    return AuditEvent(tag=AuditTag.KEYS_ROTATED, at=now, facts=facts)


def _wrap_all(data: DataKeys, root: RootKey, now: Instant, entropy: Entropy) -> tuple[WrappedKey, ...]:
    return tuple(
        _wrap(data.get(purpose, version), purpose, version, root, created_at=now, entropy=entropy)
        for purpose in DataKeyPurpose
        for version in data.versions(purpose)
    )


def _wrap(
    key: Secret,
    purpose: DataKeyPurpose,
    version: int,
    root: RootKey,
    *,
    created_at: Instant,
    entropy: Entropy,
) -> WrappedKey:
    wrapped = root.wrap(key, purpose=purpose, version=version, entropy=entropy)
    return WrappedKey(purpose=purpose, version=version, wrapped=wrapped, created_at=created_at)


def _ordered(certificates: dict[str, StoredCertificate]) -> tuple[StoredCertificate, ...]:
    return tuple(certificates[role] for role in sorted(certificates))
