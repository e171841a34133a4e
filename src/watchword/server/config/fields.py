"""The table of all settings: what each means, its unit, its default, and where it may be given.

`check-config --fields` prints it and the documentation is made from it, so it is written for operators.
"""

from dataclasses import dataclass
from typing import Any, Final

from watchword.crypto.passwords import ServerHash
from watchword.server.accounts.model import RegistrationMode
from watchword.server.config import parse
from watchword.server.config.model import LogFormat, LogLevel
from watchword.server.http.admission import DEFAULT_QUEUE, DEFAULT_SLOTS

_MAX_AT_ONCE: Final = 4096
_MAX_WAITING: Final = 65_536
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
        unit="HOST:PORT",
        effect="Where HTTPS is served. Port 0 picks a free one, which is then written to DATA/address.",
    ),
    Field(
        key="origin",
        variable="WATCHWORD_ORIGIN",
        flag="--origin",
        read=parse.parse_origin,
        default=None,
        default_text="https://localhost:PORT on loopback; else it must be given",
        unit="https origin",
        effect="The public address and the issuer in every token. Changing it makes all tokens and clients start anew.",
    ),
    Field(
        key="hosts",
        variable="WATCHWORD_HOSTS",
        read=parse.parse_hosts,
        default=[],
        default_text="none",
        unit="list of HOST or HOST:PORT",
        effect="More names that requests may use besides the origin's and loopback; they go into the certificate too.",
    ),
    Field(
        key="database",
        variable="WATCHWORD_DATABASE",
        read=parse.parse_database,
        default=None,
        default_text="SQLite in DATA/watchword.db",
        unit="postgresql:// URL",
        effect="Keeps the data in PostgreSQL instead. A file with a password in it must be closed to others.",
        secret=True,
    ),
    Field(
        key="root_key_file",
        variable="WATCHWORD_ROOT_KEY_FILE",
        read=parse.parse_path,
        default=None,
        default_text="DATA/root.key",
        unit="file",
        effect="The key that opens all others; made at first start. WATCHWORD_ROOT_KEY gives the key itself instead.",
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
        effect="How login secrets are kept, which clients have stretched with Argon2id before. Slow hashes cost time.",
    ),
    Field(
        key="log.level",
        variable="WATCHWORD_LOG",
        read=parse.parse_choice(LogLevel),
        default=LogLevel.INFO.value,
        default_text="info",
        unit="debug, info, warning or error",
        effect="The least important events that are written to standard error.",
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
        key="limits.costly_at_once",
        variable="WATCHWORD_LIMITS_COSTLY_AT_ONCE",
        read=parse.parse_whole(1, _MAX_AT_ONCE),
        default=DEFAULT_SLOTS,
        default_text=str(DEFAULT_SLOTS),
        unit="requests",
        effect="Logins, registrations and enrolments in work at the same time.",
    ),
    Field(
        key="limits.costly_waiting",
        variable="WATCHWORD_LIMITS_COSTLY_WAITING",
        read=parse.parse_whole(0, _MAX_WAITING),
        default=DEFAULT_QUEUE,
        default_text=str(DEFAULT_QUEUE),
        unit="requests",
        effect="How many more of those may wait; the next are told to come back (503).",
    ),
    Field(
        key="metrics.listen",
        variable="WATCHWORD_METRICS_LISTEN",
        read=parse.parse_listen,
        default=None,
        default_text="nowhere",
        unit="HOST:PORT",
        effect="Serves metrics for Prometheus over plain HTTP at /metrics there. Never at the public address.",
    ),
    Field(
        key="shutdown_grace_s",
        variable="WATCHWORD_SHUTDOWN_GRACE_S",
        read=parse.parse_whole(0, _MAX_GRACE_S),
        default=10,
        default_text="10",
        unit="seconds",
        effect="How long requests in flight may take once the server was told to stop.",
    ),
)
BY_KEY: Final = {field.key: field for field in FIELDS}
