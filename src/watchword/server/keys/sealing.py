"""Private keys at rest: sealed under the at-rest data key, each for its own row."""

import dataclasses
from dataclasses import dataclass
from typing import Final

from watchword.core.encoding import decode_json, encode_json
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.aead import key_version_of, open_at_rest, seal_at_rest
from watchword.crypto.authority import Issued
from watchword.crypto.keyring import DataKeyPurpose, DataKeys
from watchword.crypto.signing import TokenSigningKey, TokenVerifyingKey
from watchword.errors import DamagedError, MalformedError
from watchword.server.keys.model import KeyState, ServerKey, StoredCertificate, StoredKeys

_KEYS: Final = "server_keys"
_CERTIFICATES: Final = "server_certificates"
_PRIVATE: Final = "private-key"
_PUBLIC: Final = "public-key"


@dataclass(frozen=True, slots=True)
class KeySealer:
    data: DataKeys
    entropy: Entropy

    def seal_key(self, kid: str, key: Secret) -> bytes:
        return self._seal(key, _KEYS, kid)

    def open_key(self, key: ServerKey) -> Secret:
        """Raise `DamagedError` when the row was changed, moved, or its at-rest key is gone."""
        return self._open(key.sealed, _KEYS, key.kid)

    def keep_public(self, key: ServerKey) -> ServerKey:
        """A retired signing key without its private half. The seal keeps others from adding keys of their own."""
        public = TokenSigningKey.from_private_bytes(self.open_key(key)).public
        sealed = self._seal(Secret(encode_json(public.to_jwk())), _KEYS, key.kid, _PUBLIC)
        return dataclasses.replace(key, sealed=sealed)

    def open_public(self, key: ServerKey) -> TokenVerifyingKey:
        """The public half of a retired signing key. Raise `DamagedError`."""
        record = self._open(key.sealed, _KEYS, key.kid, _PUBLIC)
        try:
            return TokenVerifyingKey.from_jwk(decode_json(record.reveal()))
        except MalformedError:
            raise DamagedError("a retired signing key does not parse") from None

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
        purpose = _PUBLIC if key.state is KeyState.RETIRED else _PRIVATE
        opened = self._open(key.sealed, _KEYS, key.kid, purpose)
        return dataclasses.replace(key, sealed=self._seal(opened, _KEYS, key.kid, purpose))

    def _resealed_certificate(self, stored: StoredCertificate) -> StoredCertificate:
        if self._is_current(stored.sealed):
            return stored
        return self.seal_certificate(stored.role, self.open_certificate(stored))

    def _is_current(self, record: bytes) -> bool:
        return key_version_of(record) == self.data.current(DataKeyPurpose.AT_REST).version

    def _seal(self, key: Secret, table: str, row: str, purpose: str = _PRIVATE) -> bytes:
        at_rest = self.data.current(DataKeyPurpose.AT_REST)
        return seal_at_rest(
            key.reveal(), at_rest, table=table, row=row, purpose=purpose, entropy=self.entropy
        )

    def _open(self, record: bytes, table: str, row: str, purpose: str = _PRIVATE) -> Secret:
        read = self.data.reader(DataKeyPurpose.AT_REST)
        return Secret(open_at_rest(record, read, table=table, row=row, purpose=purpose))
