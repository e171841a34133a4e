"""Checking login secrets with the same work whoever asks: one real or dummy check for each scheme in use.

The default scheme is one HMAC. Where an operator chose a slow hash, some rows may still carry the old scheme: then
every login pays for every scheme there is, so that time does not tell which accounts have been back since.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.crypto.kdf import Label, derive
from watchword.crypto.passwords import (
    ServerHash,
    check_verifier,
    dummy_verifier,
    is_current,
    make_verifier,
    scheme_of,
)
from watchword.errors import DamagedError, WatchwordError
from watchword.server.logs import get_log
from watchword.server.spans import part

_log: Final = get_log("accounts")
RunSlow = Callable[[Callable[[], bool]], Awaitable[bool]]
"""Runs work in the bounded hash pool; raises `OverloadedError` when that is full."""


class PasswordChecker:
    """Makes and checks verifiers under the pepper, by the configured scheme and those still in the database."""

    def __init__(
        self,
        *,
        scheme: ServerHash,
        in_use: set[ServerHash],
        pepper: Callable[[], VersionedKey],
        find_pepper: Callable[[int], Secret],
        entropy: Entropy,
        run_slow: RunSlow,
    ) -> None:
        self._scheme = scheme
        self._in_use = in_use | {scheme}
        self._pepper = pepper
        self._find_pepper = find_pepper
        self._entropy = entropy
        self._run_slow = run_slow
        self._subkeys: dict[int, Secret] = {}

    async def check(self, verifier: bytes | None, login_secret: Secret) -> bool:
        """Whether the verifier (None: there is no such account) was made from this login secret."""
        with part("verify"):
            if self._in_use == {ServerHash.HMAC}:
                return self._check_all(verifier, login_secret)
            return await self._run_slow(lambda: self._check_all(verifier, login_secret))

    async def make(self, login_secret: Secret) -> bytes:
        """A verifier to store, by the configured scheme."""
        if self._scheme is ServerHash.HMAC:
            return self._make(login_secret)
        made: list[bytes] = []

        def work() -> bool:
            made.append(self._make(login_secret))
            return True

        await self._run_slow(work)
        return made[0]

    def outdated(self, verifier: bytes) -> bool:
        """Whether a login should store the verifier anew: another scheme, or an older pepper."""
        return not is_current(verifier, self._scheme, pepper_version=self._pepper().version)

    def _check_all(self, verifier: bytes | None, login_secret: Secret) -> bool:
        good, unpaid = False, set(self._in_use)
        if verifier is not None:
            try:
                good = check_verifier(verifier, login_secret, peppers=self._subkey)
                unpaid.discard(scheme_of(verifier))
            except DamagedError as error:  # outwardly a wrong password, at its price; the operator is told
                _log.fault("passwords.verifier_damaged", error)
        for scheme in unpaid:
            dummy = dummy_verifier(scheme, versions=(self._pepper().version,))
            check_verifier(dummy, login_secret, peppers=self._subkey)
        return good

    def _make(self, login_secret: Secret) -> bytes:
        version = self._pepper().version
        pepper = VersionedKey(version=version, key=self._subkey(version))
        return make_verifier(self._scheme, login_secret, pepper=pepper, entropy=self._entropy)

    def _subkey(self, version: int) -> Secret:
        """Raises `LookupError` for a version that is gone: the verifier is of no use, whoever asks."""
        found = self._subkeys.get(version)
        if found is None:
            try:
                pepper = self._find_pepper(version)
            except WatchwordError:
                raise LookupError(version) from None
            found = self._subkeys[version] = derive(pepper, Label.PEPPER)
        return found
