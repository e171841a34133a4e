"""From flags, environment, file and defaults to one checked `Config`, or to everything that is wrong with them."""

import os
import stat
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from watchword.core.clock import Instant
from watchword.core.secret import Secret
from watchword.crypto.keyring import RootKey
from watchword.errors import InvalidConfigError, MalformedError
from watchword.server.config.build import ROOT_KEY_FILE, build, build_tls
from watchword.server.config.environment import ROOT_KEY_VARIABLE, take, wipe
from watchword.server.config.fields import BY_KEY, FIELDS, Field
from watchword.server.config.file import ConfigFile, read_file
from watchword.server.config.model import Config, TLSMode
from watchword.server.config.problems import ConfigProblem, InvalidSettingsError
from watchword.server.config.secret_files import read_line
from watchword.server.config.setting import DEFAULT, Setting
from watchword.server.config.tls_files import examine_tls_files, host_of
from watchword.server.config.together import check_transport
from watchword.server.data_directory import check_data_directory

FILE_NAME: Final = "watchword.toml"
FILE_VARIABLE: Final = "WATCHWORD_CONFIG"
_OTHERS: Final = 0o077
_TRANSPORT: Final = frozenset({"origin", "tls.mode", "tls.certificate", "tls.key", "tls.key_password_file"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    config: Config
    settings: tuple[Setting, ...]
    file: Path | None
    flags: Mapping[str, str]
    named_file: Path | None

    def again(self) -> "Loaded":
        """Read and check everything anew, from the same places: what a reload does. Raises as `load`."""
        environ = dict(os.environ)
        for setting in self.settings:
            if (
                setting.field.secret and setting.place == setting.field.variable
            ):  # taken out of it, the first time
                environ[setting.field.variable] = setting.value.reveal()
        return load(flags=self.flags, file=self.named_file, environ=environ)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sources:
    """What was given, before it is looked at."""

    flags: Mapping[str, str]
    environ: MutableMapping[str, str]
    file: ConfigFile | None

    def find(self, field: Field) -> tuple[Any, str]:
        """The value with precedence and its place."""
        if field.flag and field.key in self.flags:
            return self.flags[field.key], field.flag
        if field.variable in self.environ:
            taken = take(self.environ, field.variable) if field.secret else self.environ[field.variable]
            return taken, field.variable
        if field.secret_variable in self.environ:
            return self._read_secret(field), field.secret_variable
        if self.file is not None and field.key in self.file.values:
            return self.file.values[field.key], self.file.place(field.key)
        return field.default, DEFAULT

    def _read_secret(self, field: Field) -> str:
        """What a file holds whose name the environment gives: so containers hand out secrets."""
        path = Path(self.environ[field.secret_variable])
        try:
            return read_line(path).decode()
        except (InvalidConfigError, UnicodeDecodeError) as error:
            said = error.detail if isinstance(error, InvalidConfigError) else "holds no text"
            problem = ConfigProblem(key=field.key, place=field.secret_variable, detail=f"{path} {said}")
            raise InvalidSettingsError([problem]) from None


def load_config(
    *,
    flags: Mapping[str, str] | None = None,
    file: Path | None = None,
    environ: MutableMapping[str, str] | None = None,
) -> Config:
    """The configuration to run with; see `load`."""
    return load(flags=flags, file=file, environ=environ).config


def load(
    *,
    flags: Mapping[str, str] | None = None,
    file: Path | None = None,
    environ: MutableMapping[str, str] | None = None,
    serving_at: Instant | None = None,
) -> Loaded:
    """Read and check everything. `flags` by key ("data", "listen", "origin"); the database URL leaves `environ`.

    With `serving_at`, the present, also what serving alone needs: the certificate in files.

    Raises:
        InvalidSettingsError: (an `InvalidConfigError`) all that is wrong with single settings and their combination.
        InvalidConfigError: the file cannot be used at all.
    """
    environ = os.environ if environ is None else environ
    sources = _Sources(flags=flags or {}, environ=environ, file=_find_file(flags or {}, file, environ))
    wipe(environ, ROOT_KEY_VARIABLE)  # `RootKeys.find` takes it out of `environ` itself
    problems = list(sources.file.unknown()) if sources.file else []
    settings = {}
    for field in FIELDS:
        try:
            value, place = sources.find(field)
        except InvalidSettingsError as error:
            problems += error.problems
            continue
        try:
            read = None if value is None else field.read(value)
        except MalformedError as error:
            problems.append(ConfigProblem(key=field.key, place=place, detail=error.detail))
            continue
        settings[field.key] = Setting(
            field=field, value=_anchor(read, place, field, sources.file), place=place
        )
    problems += _check_together(settings, sources)
    if serving_at is not None:
        problems += _check_tls_files(settings, serving_at)
    if problems:
        raise InvalidSettingsError(problems)
    found = sources.file.path if sources.file else None
    return Loaded(
        config=build(settings),
        settings=tuple(settings.values()),
        file=found,
        flags=dict(flags or {}),
        named_file=file,
    )


def find_data_directory(
    *,
    flags: Mapping[str, str] | None = None,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Path:
    """Only the data directory: enough to find a running server, whatever else it was started with.

    Raises `InvalidConfigError`.
    """
    environ = os.environ if environ is None else environ
    field = BY_KEY["data"]
    named = _named_file(file, environ)
    given = read_file(named) if named else None
    if field.key in (flags or {}) or field.variable in environ:
        given = None
    value, place = _Sources(flags=flags or {}, environ=dict(environ), file=given).find(field)
    try:
        path: Path = _anchor(field.read(value), place, field, given)
    except MalformedError as error:
        raise InvalidSettingsError([ConfigProblem(key=field.key, place=place, detail=error.detail)]) from None
    return path


def _named_file(file: Path | None, environ: Mapping[str, str]) -> Path | None:
    if file is not None:
        return file
    named = environ.get(FILE_VARIABLE)
    if named is not None and not named.strip():
        raise InvalidConfigError(f"{FILE_VARIABLE} is empty; remove it, or name a file")
    return Path(named) if named else None


def _find_file(flags: Mapping[str, str], file: Path | None, environ: Mapping[str, str]) -> ConfigFile | None:
    named = _named_file(file, environ)
    if named is not None:
        return read_file(named)
    data = find_data_directory(flags=flags, environ=environ)
    beside = data / FILE_NAME
    try:
        if not beside.exists():
            return None
    except OSError as error:
        check_data_directory(data)  # says whose it is
        raise InvalidConfigError(f"the data directory {data} cannot be entered: {error.strerror}") from None
    found = read_file(beside)
    if "data" in found.values:
        raise InvalidConfigError(
            f"data ({found.place('data')}): this file lies in the data directory: remove the key"
        )
    return found


def _anchor(value: Any, place: str, field: Field, file: ConfigFile | None) -> Any:
    """Relative paths in a file start at the file; elsewhere at the working directory."""
    if not isinstance(value, Path):
        return value
    if file is not None and place == file.place(field.key):
        return (file.path.parent / value).absolute()
    return value.absolute()


def _check_together(settings: Mapping[str, Setting], sources: _Sources) -> Iterator[ConfigProblem]:
    yield from check_transport(settings)
    yield from _check_secret_in_file(settings.get("database"), sources.file)
    yield from _check_secret_in_file(settings.get("redis"), sources.file)
    yield from _check_data(settings.get("data"))
    yield from _check_driver(settings.get("database"), "asyncpg", "PostgreSQL", extra="postgres")
    yield from _check_driver(settings.get("redis"), "redis", "Redis", extra="redis")
    if ROOT_KEY_VARIABLE in sources.environ:
        yield from _check_root_key(sources.environ[ROOT_KEY_VARIABLE])
    elif "data" in settings and "root_key_file" in settings:
        yield from _check_root_key_file(settings)


def _check_tls_files(settings: Mapping[str, Setting], now: Instant) -> list[ConfigProblem]:
    """Whatever else is wrong; but not where they are not to be read, or one is missing (which is told elsewhere)."""
    if not settings.keys() >= _TRANSPORT:
        return []
    tls, origin = build_tls(settings), settings["origin"].value
    if tls.mode is not TLSMode.FILES or tls.certificate is None or tls.key is None or origin is None:
        return []
    return examine_tls_files(tls, host=host_of(origin), now=now)[1]


def _check_data(data: Setting | None) -> Iterator[ConfigProblem]:
    if data is None or not os.path.lexists(data.value):
        return  # the first start makes it
    try:
        check_data_directory(data.value)
    except InvalidConfigError as error:
        yield ConfigProblem(key=data.field.key, place=data.place, detail=error.detail)


def _check_driver(url: Setting | None, module: str, what: str, *, extra: str) -> Iterator[ConfigProblem]:
    if url is not None and url.value is not None and find_spec(module) is None:
        detail = f"{what} needs {module}, which is not installed: pip install “watchword[{extra}]”"
        yield ConfigProblem(key=url.field.key, place=url.place, detail=detail)


def _check_root_key(text: str) -> Iterator[ConfigProblem]:
    if not text.strip():
        detail = "is empty; remove it, or set the key"
        yield ConfigProblem(key=ROOT_KEY_VARIABLE, place="", detail=detail)
        return
    try:
        RootKey.parse(Secret(text.encode(errors="replace")))
    except InvalidConfigError as error:
        yield ConfigProblem(key=ROOT_KEY_VARIABLE, place="", detail=error.detail)


def _check_secret_in_file(url: Setting | None, file: ConfigFile | None) -> Iterator[ConfigProblem]:
    if url is None or url.value is None or file is None or file.closed:
        return
    if url.value.holds_secret and url.place == file.place(url.field.key):
        detail = f"holds a password, and others can read this file: run “chmod 600 {file.path}”"
        yield ConfigProblem(key=url.field.key, place=url.place, detail=detail)


def _check_root_key_file(settings: Mapping[str, Setting]) -> Iterator[ConfigProblem]:
    path = settings["root_key_file"].value or settings["data"].value / ROOT_KEY_FILE
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # missing: first start makes it, or `server/keys` says what is the matter
    if stat.S_ISREG(mode) and mode & _OTHERS:
        detail = f"others can use {path}: run “chmod 600 {path}”, and if it was ever so, rotate the root key"
        yield ConfigProblem(key="root_key_file", place=settings["root_key_file"].place, detail=detail)
