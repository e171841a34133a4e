"""Temporary tokens: five minutes, single use, good for adding one device and nothing else."""

from watchword.core.clock import Instant, later
from watchword.core.ids import AccountId
from watchword.errors import MalformedError, RefusedError
from watchword.server.db.unit import Unit
from watchword.server.devices.model import TEMPORARY_TOKEN_LIFE, TEMPORARY_TOKEN_PREFIX, EnrolmentCredential
from watchword.server.devices.store import DeviceStore
from watchword.server.one_time import OneTimeSecret, OneTimeSecrets


class EnrolmentCredentials:
    def __init__(self, store: DeviceStore, secrets: OneTimeSecrets) -> None:
        self._store = store
        self._secrets = secrets

    def issue(self, unit: Unit, account_id: AccountId, now: Instant) -> str:
        """A fresh temporary token; good once `unit` is committed. `now` is also when the password was proven."""
        secret, verifier = self._secrets.make(TEMPORARY_TOKEN_PREFIX, now)
        self._store.insert_credential(
            unit,
            EnrolmentCredential(
                selector=secret.selector,
                verifier=verifier,
                account_id=account_id,
                auth_time=now,
                expires_at=later(now, TEMPORARY_TOKEN_LIFE),
            ),
        )
        return secret.text()

    async def find(self, text: str) -> EnrolmentCredential:
        """The credential that `text` proves, used or not. Raises `RefusedError`."""
        try:
            secret = OneTimeSecret.parse(text, prefix=TEMPORARY_TOKEN_PREFIX)
        except MalformedError:
            raise RefusedError("credential_form") from None
        credential = await self._store.find_credential(secret.selector)
        good = self._secrets.check(secret, credential.verifier if credential else self._secrets.decoy())
        if credential is None or not good:
            raise RefusedError("credential_unknown")
        return credential
