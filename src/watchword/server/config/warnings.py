"""What is allowed and worth a second thought: `check-config` and the first lines of the log say it."""

import difflib
import ssl
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from watchword.core.clock import Instant, SystemClock
from watchword.core.entropy import SystemEntropy
from watchword.crypto.authority import Authority
from watchword.crypto.passwords import ServerHash
from watchword.server.accounts.model import RegistrationMode
from watchword.server.config.door_warnings import door_warnings
from watchword.server.config.environment import ROOT_KEY_VARIABLE
from watchword.server.config.fields import FIELDS
from watchword.server.config.load import FILE_VARIABLE
from watchword.server.config.model import Config, TLSMode, UnixListen
from watchword.server.config.tls_files import tls_file_warnings
from watchword.server.db.postgres_url import SAFE_MODE, far_hosts, ssl_mode
from watchword.server.http.tls import make_tls_context
from watchword.server.http.tls_groups import Group, speaks
from watchword.server.redis.url import weakness

_OTHER_VARIABLES: Final = frozenset(
    {
        FILE_VARIABLE,
        ROOT_KEY_VARIABLE,
        "WATCHWORD_HOME",
        "WATCHWORD_SERVER",
        "WATCHWORD_CA",
        "WATCHWORD_TLS_CA",
        "WATCHWORD_DEBUG",
        "WATCHWORD_SOAK",
    }
)


def find_warnings(config: Config, environ: Mapping[str, str], *, now: Instant) -> tuple[str, ...]:
    """Sentences for the operator; none of them stops a start. Raises `InvalidConfigError` for bad TLS files."""
    return (
        *tls_file_warnings(config, now=now),
        *_registration(config),
        *_proxies(config),
        *_passwords(config),
        *_guessing(config),
        *door_warnings(config),
        *_pages(config),
        *_transport(config),
        *_metrics(config),
        *_database(config, environ),
        *_redis(config),
        *_root_key(environ),
        *_variables(environ),
    )


@cache
def tls_is_hybrid() -> bool:
    """Whether the TLS of a server here agrees on X25519MLKEM768: tried with a certificate that nobody is shown."""
    now, entropy = SystemClock().now(), SystemEntropy()
    issued = Authority.create(now, entropy).issue_server(["localhost"], now)
    return speaks(make_tls_context(issued.chain_pem(), issued.key_pem()), Group.X25519MLKEM768)


def _registration(config: Config) -> Iterator[str]:
    if config.registration is not RegistrationMode.OPEN:
        return
    if not config.is_private or config.origin not in {None, "https://localhost"}:
        yield "registration is open to everybody who reaches this server: “invite” or “closed” restrict it"
    yield "open registration tells by its nature which names are taken: whoever registers one learns that it was free"


def _proxies(config: Config) -> Iterator[str]:
    if isinstance(config.listen, UnixListen) and not config.proxies.places:
        yield (
            f"{config.listen} (listen) is a Unix socket and proxies does not hold “unix”: all callers count as one,"
            " whose address nobody knows"
        )
    elif config.tls.mode is TLSMode.OFF and not config.proxies.places:
        yield (
            "a proxy is in front (tls.mode = “off”) and proxies is empty: every caller has the proxy's address here"
        )


def _passwords(config: Config) -> Iterator[str]:
    if config.passwords.server_hash is not ServerHash.HMAC:
        yield (
            f"passwords.server_hash = “{config.passwords.server_hash}” costs tens of milliseconds of a core for each"
            " login; the clients' Argon2id already protects a stolen database"
        )


def _guessing(config: Config) -> Iterator[str]:
    if not config.limits.guessing and not config.is_private:
        yield "limits.guessing is off: any number of passwords can be tried on one account, from many addresses"


def _pages(config: Config) -> Iterator[str]:
    if config.pages.password_form:
        yield (
            "pages.password_form lets browsers without JavaScript send the password itself: this server sees it, and so"
            " does whoever ends TLS in front of it"
        )
    if config.pages.styleguide:
        yield "pages.styleguide serves /styleguide to everybody; it is for development"


def _transport(config: Config) -> Iterator[str]:
    if config.tls.mode is not TLSMode.OFF and not tls_is_hybrid():
        yield (
            f"the TLS library here ({ssl.OPENSSL_VERSION}) has no X25519MLKEM768, as those from 3.5 on have:"
            " connections are not safe against a later quantum computer; what we seal"
            " ourselves (HPKE, hybrid suite) still is"
        )


def _metrics(config: Config) -> Iterator[str]:
    listen = config.metrics.listen
    if listen is not None and not listen.is_loopback:
        yield f"metrics.listen = “{listen}” shows how busy this server is to everybody who reaches it, without TLS"


def _database(config: Config, environ: Mapping[str, str]) -> Iterator[str]:
    if config.database is None:
        return
    url = config.database.reveal()
    far, mode = sorted(set(far_hosts(url, environ))), ssl_mode(url)
    if not far or mode == SAFE_MODE:
        return
    where = f"database: {', '.join(far)} is reached over the network"
    if mode is None:
        yield f"{where}, and the URL does not say how: the server does not start without sslmode={SAFE_MODE}"
    elif mode == "verify-ca":
        yield f"{where} with sslmode=verify-ca: any server with a certificate of that CA is believed; use {SAFE_MODE}"
    else:
        yield (
            f"{where} with sslmode={mode}: whoever stands between reads and changes everything there; use {SAFE_MODE}"
        )


def _redis(config: Config) -> Iterator[str]:
    weak = "" if config.redis is None else weakness(config.redis.reveal())
    if weak:
        yield (
            f"redis is reached over the network {weak}: whoever stands between makes limits, bans and used short keys"
            " forgotten"
        )


def _root_key(environ: Mapping[str, str]) -> Iterator[str]:
    if ROOT_KEY_VARIABLE in environ:
        yield f"{ROOT_KEY_VARIABLE} holds the root key: it cannot be rotated here, and whoever starts us knows it"


def _variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = {field.variable for field in FIELDS} | _OTHER_VARIABLES
    for name in sorted(environ):
        if not name.startswith("WATCHWORD_") or name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield f"the environment variable {name!r} means nothing to us{hint}"
