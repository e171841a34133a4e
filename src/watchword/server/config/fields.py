"""The table of all settings: what each means, its unit, its default, and where it may be given.

`check-config --fields` prints it and the documentation is made from it, so it is written for operators.
"""

from dataclasses import dataclass
from typing import Any, Final

from watchword.crypto.passwords import ServerHash
from watchword.server.accounts.model import RegistrationMode
from watchword.server.addresses import KeptAddresses
from watchword.server.config import parse
from watchword.server.config.model import (
    BanPolicyName,
    LogFormat,
    LogLevel,
    ProxyProtocol,
    RequestLog,
    TLSMode,
    WithoutRedis,
)
from watchword.server.http.admission import DEFAULT_QUEUE, DEFAULT_SLOTS
from watchword.server.http.proxies import DEFAULT_HEADER

_MAX_AT_ONCE: Final = 4096
_MAX_WAITING: Final = 65_536
_MAX_PROCESSES: Final = 16
_MAX_GRACE_S: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting. `default` is what `read` takes; None where it depends on others, and `default_text` says how."""

    key: str
    """In the file; `a.b` is `b` in the table `[a]`."""
    variable: str
    flag: str = ""
    """Empty for what must not stand in arguments, or seldom changes."""
    read: parse.Parser
    default: Any
    default_text: str
    unit: str
    effect: str
    secret: bool = False
    live: bool = False
    """A reload (SIGHUP) takes it over; others wait for the next start."""

    @property
    def full_effect(self) -> str:
        return f"{self.effect} Taken over by a reload." if self.live else self.effect

    @property
    def secret_variable(self) -> str:
        """Names a file with the value, for what is secret; else empty."""
        return f"{self.variable}_FILE" if self.secret else ""


FIELDS: Final[tuple[Field, ...]] = (
    Field(
        key="data",
        variable="WATCHWORD_DATA",
        flag="--data",
        read=parse.parse_path,
        default="watchword-data",
        default_text="./watchword-data",
        unit="directory",
        effect="Holds all that the server keeps: database, root key, control socket. Made when missing.",
    ),
    Field(
        key="listen",
        variable="WATCHWORD_LISTEN",
        flag="--listen",
        read=parse.parse_listen,
        default="127.0.0.1:8443",
        default_text="127.0.0.1:8443",
        unit="HOST:PORT or unix:/PATH",
        effect="Where HTTPS is served. Port 0 picks a free one, which is then written to DATA/address."
        " A Unix socket, or plain HTTP (tls.mode), is for a proxy on this machine.",
    ),
    Field(
        key="socket.mode",
        variable="WATCHWORD_SOCKET_MODE",
        read=parse.parse_mode,
        default="660",
        default_text="660",
        unit="three octal digits",
        effect="The permissions of the Unix socket in listen; others than owner and group never get any.",
    ),
    Field(
        key="socket.group",
        variable="WATCHWORD_SOCKET_GROUP",
        read=parse.parse_name,
        default=None,
        default_text="the server's own group",
        unit="name of a group",
        effect="The group that may use the Unix socket in listen: the proxy's.",
    ),
    Field(
        key="tls.mode",
        variable="WATCHWORD_TLS_MODE",
        read=parse.parse_choice(TLSMode),
        default=TLSMode.OWN.value,
        default_text="own",
        unit="own, files or off",
        effect="Serve a certificate of the server's own CA, or that of tls.certificate, or plain HTTP:"
        " on loopback or a Unix socket alone, with origin given.",
    ),
    Field(
        key="tls.certificate",
        variable="WATCHWORD_TLS_CERTIFICATE",
        read=parse.parse_path,
        default=None,
        default_text="none",
        unit="PEM file",
        effect="The certificate for tls.mode = “files”: the server's first, then the intermediates, in"
        " order.",
        live=True,
    ),
    Field(
        key="tls.key",
        variable="WATCHWORD_TLS_KEY",
        read=parse.parse_path,
        default=None,
        default_text="none",
        unit="PEM file",
        effect="The certificate's private key; closed to others.",
        live=True,
    ),
    Field(
        key="tls.key_password_file",
        variable="WATCHWORD_TLS_KEY_PASSWORD_FILE",
        read=parse.parse_path,
        default=None,
        default_text="none",
        unit="file",
        effect="The password of an encrypted tls.key, on the first line; closed to others.",
        live=True,
    ),
    Field(
        key="proxies",
        variable="WATCHWORD_PROXIES",
        read=parse.parse_proxies,
        default=[],
        default_text="none",
        unit="list of addresses, networks or “unix”",
        effect="Proxies whose word on a caller's address is taken; “unix” stands for the peers of the Unix socket."
        " From anybody else proxy_header means nothing.",
    ),
    Field(
        key="proxy_header",
        variable="WATCHWORD_PROXY_HEADER",
        read=parse.parse_header,
        default=DEFAULT_HEADER,
        default_text=DEFAULT_HEADER,
        unit="name of a header",
        effect="Where those proxies append the address that called them: Forwarded (RFC 7239), or any other as"
        " X-Forwarded-For.",
    ),
    Field(
        key="proxy_protocol",
        variable="WATCHWORD_PROXY_PROTOCOL",
        read=parse.parse_choice(ProxyProtocol),
        default="headers",
        default_text="headers",
        unit="headers or proxy-v2",
        effect="How the proxies tell whom they speak for: in proxy_header, or by the PROXY protocol,"
        " version 2.",
    ),
    Field(
        key="origin",
        variable="WATCHWORD_ORIGIN",
        flag="--origin",
        read=parse.parse_origin,
        default=None,
        default_text="https://localhost:PORT on loopback; else it must be given",
        unit="https origin",
        effect="The public address and the issuer in every token. Changing it makes all tokens and"
        " clients start anew.",
    ),
    Field(
        key="hosts",
        variable="WATCHWORD_HOSTS",
        read=parse.parse_hosts,
        default=[],
        default_text="none",
        unit="list of HOST or HOST:PORT",
        effect="More names that requests may use besides the origin's and loopback; they go into the"
        " certificate too.",
    ),
    Field(
        key="database",
        variable="WATCHWORD_DATABASE",
        read=parse.parse_database,
        default=None,
        default_text="SQLite in DATA/watchword.db",
        unit="postgresql:// URL",
        effect="Keeps the data in PostgreSQL instead. A file with a password in it must be closed to others."
        " WATCHWORD_DATABASE_FILE may name a file that holds the URL.",
        secret=True,
    ),
    Field(
        key="redis",
        variable="WATCHWORD_REDIS",
        read=parse.parse_redis,
        default=None,
        default_text="none",
        unit="redis://, rediss:// or unix:// URL",
        effect="Shares limits, used short keys and bans between several nodes. WATCHWORD_REDIS_FILE may"
        " name a file that holds the URL.",
        secret=True,
    ),
    Field(
        key="root_key_file",
        variable="WATCHWORD_ROOT_KEY_FILE",
        read=parse.parse_path,
        default=None,
        default_text="DATA/root.key",
        unit="file",
        effect="The key that opens all others; made at first start. WATCHWORD_ROOT_KEY gives the key"
        " itself instead.",
    ),
    Field(
        key="registration",
        variable="WATCHWORD_REGISTRATION",
        read=parse.parse_choice(RegistrationMode),
        default=RegistrationMode.OPEN.value,
        default_text="open",
        unit="open, invite or closed",
        effect="Who may register: anybody at level 0, holders of an invitation, or nobody by themselves.",
    ),
    Field(
        key="passwords.server_hash",
        variable="WATCHWORD_PASSWORDS_SERVER_HASH",
        read=parse.parse_choice(ServerHash),
        default=ServerHash.HMAC.value,
        default_text="hmac",
        unit="hmac, argon2id or bcrypt",
        effect="How login secrets are kept, which clients have stretched with Argon2id before. Slow"
        " hashes cost time.",
    ),
    Field(
        key="pages.password_form",
        variable="WATCHWORD_PAGES_PASSWORD_FORM",
        read=parse.parse_switch,
        default=False,
        default_text="false",
        unit="true or false",
        effect="Lets browsers without JavaScript post the password itself over TLS. Then the server"
        " sees passwords.",
    ),
    Field(
        key="pages.styleguide",
        variable="WATCHWORD_PAGES_STYLEGUIDE",
        read=parse.parse_switch,
        default=False,
        default_text="false",
        unit="true or false",
        effect="Serves /styleguide, which shows everything that pages are made of. For development.",
    ),
    Field(
        key="log.level",
        variable="WATCHWORD_LOG",
        read=parse.parse_choice(LogLevel),
        default=LogLevel.INFO.value,
        default_text="info",
        unit="debug, info, warning or error",
        effect="The least important events that are written to standard error.",
        live=True,
    ),
    Field(
        key="log.format",
        variable="WATCHWORD_LOG_FORMAT",
        read=parse.parse_choice(LogFormat),
        default=LogFormat.AUTO.value,
        default_text="auto",
        unit="auto, json or human",
        effect="One JSON object a line, or text for people; auto writes text on a terminal.",
    ),
    Field(
        key="log.requests",
        variable="WATCHWORD_LOG_REQUESTS",
        read=parse.parse_choice(RequestLog),
        default=RequestLog.ALL.value,
        default_text="all",
        unit="all, failed or none",
        effect="Which requests write a line each at level info (failed: status 400 and above); the rest"
        " do at debug.",
    ),
    Field(
        key="limits.costly_at_once",
        variable="WATCHWORD_LIMITS_COSTLY_AT_ONCE",
        read=parse.parse_whole(1, _MAX_AT_ONCE),
        default=DEFAULT_SLOTS,
        default_text=str(DEFAULT_SLOTS),
        unit=f"requests, 1 to {_MAX_AT_ONCE:,}",
        effect="Logins, registrations and enrolments in work at the same time.",
    ),
    Field(
        key="limits.costly_waiting",
        variable="WATCHWORD_LIMITS_COSTLY_WAITING",
        read=parse.parse_whole(0, _MAX_WAITING),
        default=DEFAULT_QUEUE,
        default_text=str(DEFAULT_QUEUE),
        unit=f"requests, 0 to {_MAX_WAITING:,}",
        effect="How many more of those may wait; the next are told to come back (503).",
    ),
    Field(
        key="limits.enabled",
        variable="WATCHWORD_LIMITS_ENABLED",
        read=parse.parse_switch,
        default=True,
        default_text="true",
        unit="true or false",
        effect="Whether requests of one source or account are limited at all.",
    ),
    Field(
        key="limits.read",
        variable="WATCHWORD_LIMITS_READ",
        read=parse.parse_rate,
        default="300/60s",
        default_text="300/60s",
        unit="COUNT/TIME: 300/60s, 30/15m, 1000/1h",
        effect="GET without identity (pages, keys), for each source: so many at once, and again in each such"
        " time. Of the files that pages are made of, ten times as many.",
    ),
    Field(
        key="limits.sign_in",
        variable="WATCHWORD_LIMITS_SIGN_IN",
        read=parse.parse_rate,
        default="120/60s",
        default_text="120/60s",
        unit="COUNT/TIME: 300/60s, 30/15m, 1000/1h",
        effect="Begin, login, enrolment and the form that posts a password, for each source: so many at"
        " once, and again in each such time.",
    ),
    Field(
        key="limits.register",
        variable="WATCHWORD_LIMITS_REGISTER",
        read=parse.parse_rate,
        default="30/15m",
        default_text="30/15m",
        unit="COUNT/TIME: 300/60s, 30/15m, 1000/1h",
        effect="Registrations, for each source: so many at once, and again in each such time.",
    ),
    Field(
        key="limits.account",
        variable="WATCHWORD_LIMITS_ACCOUNT",
        read=parse.parse_rate,
        default="600/60s",
        default_text="600/60s",
        unit="COUNT/TIME: 300/60s, 30/15m, 1000/1h",
        effect="Requests that need an identity, for each account: so many at once, and again in each"
        " such time.",
    ),
    Field(
        key="limits.other",
        variable="WATCHWORD_LIMITS_OTHER",
        read=parse.parse_rate,
        default="120/60s",
        default_text="120/60s",
        unit="COUNT/TIME: 300/60s, 30/15m, 1000/1h",
        effect="All other requests (unknown paths, bad identities), for each source: so many at once,"
        " and again in each such time.",
    ),
    Field(
        key="limits.concurrent",
        variable="WATCHWORD_LIMITS_CONCURRENT",
        read=parse.parse_whole(1, _MAX_AT_ONCE),
        default=64,
        default_text="64",
        unit="requests, 1 to 4,096",
        effect="Requests of one source in work at the same time.",
    ),
    Field(
        key="limits.guessing",
        variable="WATCHWORD_LIMITS_GUESSING",
        read=parse.parse_switch,
        default=True,
        default_text="true",
        unit="true or false",
        effect="Whether guesses at one account are held: 5 free, then slower and slower, 100 in a row"
        " at most.",
    ),
    Field(
        key="limits.without_redis",
        variable="WATCHWORD_LIMITS_WITHOUT_REDIS",
        read=parse.parse_choice(WithoutRedis),
        default="local",
        default_text="local",
        unit="local or refuse",
        effect="While Redis is set and away: each node counts for itself, or requests are refused (503).",
    ),
    Field(
        key="bans.policy",
        variable="WATCHWORD_BANS_POLICY",
        read=parse.parse_choice(BanPolicyName),
        default="balanced",
        default_text="balanced",
        unit="balanced, strict or off",
        effect="Who is banned: who fails again and again, who fails once, or nobody.",
    ),
    Field(
        key="bans.failures",
        variable="WATCHWORD_BANS_FAILURES",
        read=parse.parse_whole_or_auto(1, 10_000),
        default="auto",
        default_text="auto, by the policy",
        unit="failures, 1 to 10,000, or auto",
        effect="So many failures of one source within bans.window_s ban it.",
    ),
    Field(
        key="bans.names",
        variable="WATCHWORD_BANS_NAMES",
        read=parse.parse_whole_or_auto(1, 32),
        default="auto",
        default_text="auto, by the policy",
        unit="names, 1 to 32, or auto",
        effect="So many different names that one source tried within bans.window_s ban it.",
    ),
    Field(
        key="bans.window_s",
        variable="WATCHWORD_BANS_WINDOW_S",
        read=parse.parse_whole_or_auto(1, 86_400),
        default="auto",
        default_text="auto, by the policy",
        unit="seconds, 1 to 86,400, or auto",
        effect="How long a failure counts.",
    ),
    Field(
        key="bans.first_s",
        variable="WATCHWORD_BANS_FIRST_S",
        read=parse.parse_whole_or_auto(1, 86_400),
        default="auto",
        default_text="auto, by the policy",
        unit="seconds, 1 to 86,400, or auto",
        effect="How long the first ban of a source lasts; each further one twice as long.",
    ),
    Field(
        key="bans.longest_s",
        variable="WATCHWORD_BANS_LONGEST_S",
        read=parse.parse_whole_or_auto(1, 2_592_000),
        default="auto",
        default_text="auto, by the policy",
        unit="seconds, 1 to 2,592,000, or auto",
        effect="How long a ban lasts at most.",
    ),
    Field(
        key="bans.forged_s",
        variable="WATCHWORD_BANS_FORGED_S",
        read=parse.parse_whole_or_auto(1, 86_400),
        default="auto",
        default_text="auto, by the policy",
        unit="seconds, 1 to 86,400, or auto",
        effect="How long a forged short key, cookie or device proof bans.",
    ),
    Field(
        key="bans.allow",
        variable="WATCHWORD_BANS_ALLOW",
        read=parse.parse_allowed,
        default=["127.0.0.1", "::1"],
        default_text="127.0.0.1, ::1",
        unit="list of addresses and networks, at most 10,000",
        effect="Who is never banned, nor limited as a source.",
    ),
    Field(
        key="privacy.addresses",
        variable="WATCHWORD_PRIVACY_ADDRESSES",
        read=parse.parse_choice(KeptAddresses),
        default="whole",
        default_text="whole",
        unit="whole, truncated or keyed",
        effect="What the log, the audit trail and sessions hold of callers' addresses: all, the network (/24, /48), or"
        " a keyed hash.",
    ),
    Field(
        key="privacy.addresses_days",
        variable="WATCHWORD_PRIVACY_ADDRESSES_DAYS",
        read=parse.parse_whole_or("forever", 1, 3650),
        default="forever",
        default_text="forever",
        unit="days, 1 to 3,650, or forever",
        effect="After how many days addresses are erased from the audit trail and sessions.",
    ),
    Field(
        key="backup.recipient",
        variable="WATCHWORD_BACKUP_RECIPIENT",
        read=parse.parse_path,
        default=None,
        default_text="none",
        unit="file",
        effect="The public key that `watchword backup` seals to without --to; see `watchword backup-key"
        " new`.",
    ),
    Field(
        key="metrics.listen",
        variable="WATCHWORD_METRICS_LISTEN",
        read=parse.parse_host_port,
        default=None,
        default_text="nowhere",
        unit="HOST:PORT",
        effect="Serves metrics for Prometheus over plain HTTP at /metrics there. Never at the public"
        " address.",
    ),
    Field(
        key="traces.endpoint",
        variable="WATCHWORD_TRACES_ENDPOINT",
        read=parse.parse_collector,
        default=None,
        default_text="none",
        unit="URL",
        effect="Sends traces there, as OTLP over HTTP: http://127.0.0.1:4318/v1/traces. Needs"
        " “watchword[otel]”.",
    ),
    Field(
        key="traces.ratio",
        variable="WATCHWORD_TRACES_RATIO",
        read=parse.parse_ratio,
        default=0.01,
        default_text="0.01",
        unit="0 to 1",
        effect="How many of all requests are traced; which ones is drawn, and callers have no say in it.",
    ),
    Field(
        key="processes",
        variable="WATCHWORD_PROCESSES",
        read=parse.parse_whole_or_auto(1, _MAX_PROCESSES),
        default="auto",
        default_text="auto",
        unit=f"1 to {_MAX_PROCESSES}, or auto",
        effect="One serves; further ones do TLS and HTTP for it, on other cores. auto starts those"
        " while it is busy.",
    ),
    Field(
        key="shutdown_grace_s",
        variable="WATCHWORD_SHUTDOWN_GRACE_S",
        read=parse.parse_whole(0, _MAX_GRACE_S),
        default=10,
        default_text="10",
        unit=f"seconds, 0 to {_MAX_GRACE_S}",
        effect="How long requests in flight may take once the server was told to stop.",
    ),
)
BY_KEY: Final = {field.key: field for field in FIELDS}
