"""What an operator may choose, and where it comes from: flags before environment before file before default.

Invariants: everything is checked as a whole before anything listens, and all that is wrong is told at once; what is
unknown is refused, never ignored; a secret comes from a file or the environment, is never shown, and does not stay in
the environment.
"""

from watchword.server.config.fields import FIELDS, Field
from watchword.server.config.load import Loaded, find_data_directory, load, load_config
from watchword.server.config.model import (
    BackupConfig,
    Config,
    DatabaseURL,
    LimitsConfig,
    Listen,
    LogConfig,
    LogFormat,
    LogLevel,
    PagesConfig,
    PasswordsConfig,
    ProxiesConfig,
    SocketConfig,
    TLSConfig,
    TLSMode,
    UnixListen,
)
from watchword.server.config.problems import ConfigProblem, InvalidSettingsError
from watchword.server.config.setting import Setting
from watchword.server.config.tls_files import TLSFiles, read_tls_files
from watchword.server.config.warnings import find_warnings, tls_is_hybrid

__all__ = [
    "FIELDS",
    "BackupConfig",
    "Config",
    "ConfigProblem",
    "DatabaseURL",
    "Field",
    "InvalidSettingsError",
    "LimitsConfig",
    "Listen",
    "Loaded",
    "LogConfig",
    "LogFormat",
    "LogLevel",
    "PagesConfig",
    "PasswordsConfig",
    "ProxiesConfig",
    "Setting",
    "SocketConfig",
    "TLSConfig",
    "TLSFiles",
    "TLSMode",
    "UnixListen",
    "find_data_directory",
    "find_warnings",
    "load",
    "load_config",
    "read_tls_files",
    "tls_is_hybrid",
]
