"""What a running server listens on and greets with: the socket and the TLS that the configuration asks for."""

import contextlib
import ssl
from collections.abc import Callable, Iterator, Sequence
from socket import socket
from typing import Final
from urllib.parse import urlsplit

from watchword.core.clock import Clock
from watchword.core.secret import Secret
from watchword.server.config import Config, TLSMode, UnixListen, read_tls_files
from watchword.server.http.sockets import bind, bind_unix
from watchword.server.http.tls import make_tls_context
from watchword.server.keys.service import KeyService
from watchword.server.logs import get_log

_LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_log: Final = get_log("server")


@contextlib.contextmanager
def bound(config: Config) -> Iterator[socket]:
    """The socket of `listen`, bound. Raises `InvalidConfigError`."""
    if isinstance(config.listen, UnixListen):
        with bind_unix(config.listen.path, mode=config.socket.mode, group=config.socket.group) as listen:
            yield listen
    else:
        with bind(config.listen.host, config.listen.port) as listen:
            yield listen


def port_of(config: Config, listen: socket) -> int | None:
    """The port that callers may name; None on a Unix socket."""
    return None if isinstance(config.listen, UnixListen) else int(listen.getsockname()[1])


def own_tls_names(config: Config, origin: str) -> Sequence[str]:
    """Every name and address for a certificate of our own CA; none where that is not served."""
    if config.tls.mode is not TLSMode.OWN or isinstance(config.listen, UnixListen):
        return ()
    host = urlsplit(origin).hostname or "localhost"
    extra = [urlsplit(f"//{name}").hostname or name for name in config.hosts]  # a host may carry a port
    return list(dict.fromkeys((*_LOCAL_NAMES, host, config.listen.host, *extra)))


class ServedTLS:
    """The TLS of the next connection. A context is made whole before it takes the other's place."""

    def __init__(self, chain: bytes, key: Secret) -> None:
        """As `make_tls_context`, whose errors it raises."""
        self.on_new: Callable[[], None] = _nothing
        """Called once there is another certificate."""
        self.use(chain, key)

    @classmethod
    def of(cls, config: Config, keys: KeyService, clock: Clock) -> "ServedTLS | None":
        """None where plain HTTP is served. Raises `InvalidConfigError` when the files are of no use."""
        if config.tls.mode is TLSMode.OFF:
            return None
        if config.tls.mode is TLSMode.FILES:
            return cls(*material_from_files(config, clock))
        served = cls(*keys.server_tls())
        keys.on_new_tls = lambda: served.renew(keys)
        return served

    def current(self) -> ssl.SSLContext:
        return self._context

    def use(self, chain: bytes, key: Secret) -> None:
        """Raises `InvalidConfigError` when they do not load; then nothing has changed."""
        self._context = make_tls_context(chain, key)
        self.chain, self.key = chain, key
        self.on_new()

    def renew(self, keys: KeyService) -> None:
        """Serve the keys' newest certificate; the one before stays where that does not load."""
        try:
            self.use(*keys.server_tls())
        except Exception as error:  # noqa: BLE001  # no handles or memory, perhaps: upkeep must go on without it
            _log.fault("server.tls_not_renewed", error)
        else:
            _log.info("server.tls_renewed")


def material_from_files(config: Config, clock: Clock) -> tuple[bytes, Secret]:
    """Chain and key, in PEM. Raises `InvalidConfigError` with all that is wrong with them."""
    files = read_tls_files(config, now=clock.now())
    return files.chain.to_pem(), files.key


def _nothing() -> None:
    """Nobody has to be told."""
