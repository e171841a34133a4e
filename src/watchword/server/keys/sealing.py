"""Private keys at rest: sealed under the at-rest data key, each for its own row."""

import dataclasses
from dataclasses import dataclass
from typing import Final

from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.aead import key_version_of, open_at_rest, seal_at_rest
from watchword.crypto.authority import Issued
from watchword.crypto.keyring import DataKeyPurpose, DataKeys
from watchword.server.keys.model import ServerKey, StoredCertificate, StoredKeys

_KEYS: Final = "server_keys"
_CERTIFICATES: Final = "server_certificates"
_PURPOSE: Final = "private-key"


@dataclass(frozen=True, slots=True)
class KeySealer:
    data: DataKeys
    entropy: Entropy

    def seal_key(self, kid: str, key: Secret) -> bytes:
        return self._seal(key, _KEYS, kid)

    def open_key(self, key: ServerKey) -> Secret:
        """Raise `DamagedError` when the row was changed, moved, or its at-rest key is gone."""
        return self._open(key.sealed, _KEYS, key.kid)

    def seal_certificate(self, role: str, issued: Issued) -> StoredCertificate:
        sealed = self._seal(issued.key, _CERTIFICATES, role)
        return StoredCertificate(role=role, chain=issued.chain_der(), sealed=sealed)

    def open_certificate(self, stored: StoredCertificate) -> Issued:
        return Issued.from_der(stored.chain, self._open(stored.sealed, _CERTIFICATES, stored.role))

    def reseal(self, stored: StoredKeys) -> StoredKeys:
        """The same keys, all under the current at-rest key."""
        return dataclasses.replace(
            stored,
            keys=tuple(self._resealed_key(key) for key in stored.keys),
            certificates=tuple(self._resealed_certificate(each) for each in stored.certificates),
        )

    def _resealed_key(self, key: ServerKey) -> ServerKey:
        if self._is_current(key.sealed):
            return key
        return dataclasses.replace(key, sealed=self.seal_key(key.kid, self.open_key(key)))

    def _resealed_certificate(self, stored: StoredCertificate) -> StoredCertificate:
        if self._is_current(stored.sealed):
            return stored
        return self.seal_certificate(stored.role, self.open_certificate(stored))

    def _is_current(self, record: bytes) -> bool:
        return key_version_of(record) == self.data.current(DataKeyPurpose.AT_REST).version

    def _seal(self, key: Secret, table: str, row: str) -> bytes:
        at_rest = self.data.current(DataKeyPurpose.AT_REST)
        return seal_at_rest(
            key.reveal(), at_rest, table=table, row=row, purpose=_PURPOSE, entropy=self.entropy
        )

    def _open(self, record: bytes, table: str, row: str) -> Secret:
        read = self.data.reader(DataKeyPurpose.AT_REST)
        return Secret(open_at_rest(record, read, table=table, row=row, purpose=_PURPOSE))
