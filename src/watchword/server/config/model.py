"""The configuration as the server uses it: every value parsed, nothing left to decide but the port."""

import enum
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, final
from urllib.parse import urlsplit

from watchword.core.secret import Secret
from watchword.crypto.passwords import ServerHash
from watchword.server.accounts.model import RegistrationMode
from watchword.server.addresses import KeptAddresses
from watchword.server.limits.model import Rate

DATABASE_FILE: Final = "watchword.db"
CONTROL_SOCKET: Final = "control.sock"
ADDRESS_FILE: Final = "address"
HTTPS_PORT: Final = 443


class LogLevel(enum.StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(enum.StrEnum):
    AUTO = "auto"
    JSON = "json"
    HUMAN = "human"


class TLSMode(enum.StrEnum):
    """Whose certificate is served: of our own CA, from files, or none since a proxy in front has one."""

    OWN = "own"
    FILES = "files"
    OFF = "off"


class RequestLog(enum.StrEnum):
    """Which requests leave a line at level info; the others do at level debug."""

    ALL = "all"
    FAILED = "failed"
    NONE = "none"

    @property
    def least_status(self) -> int:
        """The least status of an answer that leaves one."""
        return {RequestLog.ALL: 0, RequestLog.FAILED: 400, RequestLog.NONE: 1000}[self]


@dataclass(frozen=True, slots=True)
class Listen:
    """`host` is an IP address without brackets, or "localhost"; port 0 lets the system choose."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixListen:
    """The file of a Unix socket, for a proxy on the same machine."""

    path: Path
    is_loopback: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"unix:{self.path}"


class SecretURL:
    """A URL that may hold a password; shown without it."""

    __slots__ = ("_url",)

    def __init__(self, url: Secret) -> None:
        self._url = url

    def reveal(self) -> str:
        return self._url.reveal().decode()

    @property
    def holds_secret(self) -> bool:
        parts = urlsplit(self.reveal())
        return parts.password is not None or "password" in parts.query.lower()

    def __str__(self) -> str:
        parts = urlsplit(self.reveal())
        place = parts.netloc.rpartition("@")[2]
        user = f"{parts.username}:…@" if parts.password is not None else f"{parts.username or ''}@"
        query = "?…" if parts.query else ""  # `password=` may stand there too
        return f"{parts.scheme}://{user if '@' in parts.netloc else ''}{place}{parts.path}{query}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


@final
class DatabaseURL(SecretURL):
    """A `postgresql://` URL."""

    __slots__ = ()


@final
class RedisURL(SecretURL):
    """A `redis://`, `rediss://` (TLS) or `unix://` URL."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketConfig:
    """Of a Unix socket: permission bits, and the group that owns it beside us (None: our own)."""

    mode: int
    group: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSConfig:
    """`certificate` and `key` are there in mode FILES alone."""

    mode: TLSMode
    certificate: Path | None
    key: Path | None
    key_password_file: Path | None


class ProxyProtocol(enum.StrEnum):
    """How proxies tell whom they speak for: in a header of each request, or before each connection's first byte."""

    HEADERS = "headers"
    PROXY_V2 = "proxy-v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxiesConfig:
    """`places` as `server/http/proxies` takes them: addresses, networks, "unix"."""

    places: tuple[str, ...]
    header: str
    protocol: ProxyProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordsConfig:
    server_hash: ServerHash


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesConfig:
    password_form: bool
    """Whether a browser without scripts may post a password, which this server then sees."""
    styleguide: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    level: LogLevel
    format: LogFormat
    requests: RequestLog

    @property
    def as_json(self) -> bool | None:
        """What `configure_logs` takes: None lets it look whether a terminal reads."""
        return None if self.format is LogFormat.AUTO else self.format is LogFormat.JSON


class WithoutRedis(enum.StrEnum):
    """What limits do while Redis is set and does not answer: each node counts for itself, or requests are refused."""

    LOCAL = "local"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsConfig:
    """`costly_…` of expensive work (login, registration, enrolment): at once, and waiting. `rates` by class."""

    costly_at_once: int
    costly_waiting: int
    enabled: bool
    rates: Mapping[str, Rate]
    concurrent: int
    """Requests of one source at once."""
    guessing: bool
    """Whether guesses at the password of one account are held."""
    without_redis: WithoutRedis


class BanPolicyName(enum.StrEnum):
    BALANCED = "balanced"
    STRICT = "strict"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class BansConfig:
    """Where a number is None, the policy has one. `allow`: addresses and networks that are never banned nor limited."""

    policy: BanPolicyName
    failures: int | None
    names: int | None
    window_s: int | None
    first_s: int | None
    longest_s: int | None
    forged_s: int | None
    allow: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyConfig:
    """`days` after which kept addresses are erased; None: never."""

    addresses: KeptAddresses
    days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupConfig:
    recipient: Path | None
    """The file with the public key that backups are sealed to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """`listen` is None where nobody but the control socket gives metrics."""

    listen: Listen | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TracesConfig:
    """`endpoint` is where OTLP over HTTP is taken; None: nothing is traced. `ratio` of all requests, 0 to 1."""

    endpoint: str | None
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All choices. `origin` is None where the default follows the port: see `resolve_origin`."""

    data: Path
    listen: Listen | UnixListen
    socket: SocketConfig
    tls: TLSConfig
    proxies: ProxiesConfig
    origin: str | None
    hosts: tuple[str, ...]
    database: DatabaseURL | None
    redis: RedisURL | None
    root_key_file: Path
    registration: RegistrationMode
    passwords: PasswordsConfig
    pages: PagesConfig
    log: LogConfig
    limits: LimitsConfig
    bans: BansConfig
    privacy: PrivacyConfig
    backup: BackupConfig
    metrics: MetricsConfig
    traces: TracesConfig
    processes: int | None
    """In all; None decides by the cores and by the load."""
    shutdown_grace_s: int

    @property
    def is_private(self) -> bool:
        """Whether this machine alone can call: on loopback, and no proxy brings others."""
        return self.listen.is_loopback and self.tls.mode is TLSMode.OWN and not self.proxies.places

    def resolve_origin(self, port: int) -> str:
        """The public origin and issuer, once the port is known (after binding, where it is 0)."""
        if self.origin is not None:
            return self.origin
        return "https://localhost" if port == HTTPS_PORT else f"https://localhost:{port}"

    @property
    def database_location(self) -> str | Path:
        """What `open_database` takes."""
        return self.data / DATABASE_FILE if self.database is None else self.database.reveal()

    @property
    def control_socket(self) -> Path:
        return self.data / CONTROL_SOCKET

    @property
    def address_file(self) -> Path:
        return self.data / ADDRESS_FILE
