"""From what a caller gives to a session: which server, how it is trusted, where the vault is."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from watchword.client.held import Ways
from watchword.client.password_source import PasswordSource
from watchword.client.session import Session
from watchword.client.settings import Retries, Timeouts
from watchword.client.transport import StretchProgress
from watchword.client.trust import (
    TrustedServer,
    also_under,
    read_fingerprint,
    server_origin,
    trust_by_file,
    trust_by_fingerprint,
)
from watchword.client.vault import StretchFunction, VaultFile
from watchword.core.clock import Clock, SystemClock
from watchword.core.entropy import Entropy, SystemEntropy
from watchword.core.secret import Secret
from watchword.crypto.passwords import StretchParams, stretch
from watchword.errors import InvalidConfigError, NotTrustedError

MAX_APP_ANSWER = 64 << 20
"""Bytes of an app's answer, which is read as a whole."""
Trusting = TrustedServer | Callable[[], TrustedServer]
"""A server, or a function that finds it (by `AsyncClient` run in a thread)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Everything that has a default.

    `clock` and `entropy` are the machine's unless a test injects its own; `progress` runs each stretch, which takes
    about 0.1 s and 64 MiB. `app_ca_file` names the roots that apps' certificates lead to, the system's by default.
    """

    device_name: str | None = None
    """What a newly enrolled device is called; the host's name by default."""
    app_ca_file: Path | None = None
    max_app_answer: int = MAX_APP_ANSWER
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: Retries = field(default_factory=Retries)
    progress: StretchProgress | None = None
    clock: Clock = field(default_factory=SystemClock)
    entropy: Entropy = field(default_factory=SystemEntropy)

    def app_roots(self) -> str | None:
        """The text of `app_ca_file`. Raises `InvalidConfigError`."""
        if self.app_ca_file is None:
            return None
        try:
            return self.app_ca_file.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidConfigError(f"cannot read the CA file {self.app_ca_file}") from error


def make_session(
    trusting: Trusting,
    home: Path | str,
    *,
    password: PasswordSource | None,
    username: str | None,
    settings: ClientSettings,
) -> Session:
    find = (lambda: trusting) if isinstance(trusting, TrustedServer) else trusting
    ways = Ways(
        clock=settings.clock,
        entropy=settings.entropy,
        retries=settings.retries,
        stretch=_shown(settings.progress),
    )
    return Session(
        find,
        VaultFile(Path(home), settings.entropy),
        source=password,
        username=username,
        device_name=settings.device_name or socket.gethostname(),
        ways=ways,
    )


def find_server(
    home: Path | str,
    *,
    server: str | None = None,
    ca_file: Path | str | None = None,
    fingerprint: str | None = None,
    tls_ca: Path | str | None = None,
) -> TrustedServer:
    """The server of the vault in `home` under the root pinned there; without a vault, as the parameters say.

    With a vault the parameters change nothing, and may not say otherwise than it does.

    Raises:
        InvalidConfigError: neither says which server or how to trust it; the vault is of another server, or allows
            other roots for TLS than `tls_ca`.
        NotTrustedError: `ca_file` or `fingerprint` is of another root than the server's, or the vault's.
        UnreachableError: from `fingerprint`, which without a vault asks the server itself.
    """
    file = VaultFile(Path(home), SystemEntropy())
    if file.exists():
        owner = file.owner()
        if server is not None and server_origin(server, named="server") not in {owner.server, owner.issuer}:
            raise InvalidConfigError(f"the vault in {home} is of {owner.username} at {owner.server}")
        pinned = TrustedServer(server=owner.server, root_pem=owner.root)
        _check_root(pinned, home, ca_file=ca_file, fingerprint=fingerprint)
        _check_tls_roots(pinned, home, tls_ca=tls_ca)
        return pinned
    if server is None:
        raise InvalidConfigError(f"there is no vault in {home} yet: which server?")
    found = _find_root(server, ca_file=ca_file, fingerprint=fingerprint)
    return also_under(found, str(tls_ca)) if tls_ca is not None else found


def _check_root(
    pinned: TrustedServer, home: Path | str, *, ca_file: Path | str | None, fingerprint: str | None
) -> None:
    pins = []
    if ca_file is not None:
        pins.append(("ca_file", trust_by_file(pinned.server, Path(ca_file)).pin))
    if fingerprint is not None:
        pins.append(("fingerprint", read_fingerprint(fingerprint)))
    for name, pin in pins:
        if pin != pinned.pin:  # compare: fingerprints are public
            raise NotTrustedError(
                f"{name} is of another root than the one that the vault in {home} has pinned"
            )


def _check_tls_roots(pinned: TrustedServer, home: Path | str, *, tls_ca: Path | str | None) -> None:
    if tls_ca is not None and also_under(pinned.without_tls_roots(), str(tls_ca)) != pinned:
        raise InvalidConfigError(
            f"tls_ca: the vault in {home} allows other roots for TLS; log in with a new home to choose again"
        )


def _find_root(server: str, *, ca_file: Path | str | None, fingerprint: str | None) -> TrustedServer:
    if ca_file is not None:
        return trust_by_file(server_origin(server, named="server"), Path(ca_file))
    if fingerprint is not None:
        return trust_by_fingerprint(server_origin(server, named="server"), fingerprint)
    raise InvalidConfigError(f"how to trust {server}? Give its ca_file, or its fingerprint")


def _shown(progress: StretchProgress | None) -> StretchFunction:
    if progress is None:
        return stretch

    def shown(password: Secret, salt: bytes, params: StretchParams) -> Secret:
        return progress(lambda: stretch(password, salt, params))

    return shown
