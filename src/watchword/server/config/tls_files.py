"""The certificate and key of `tls.mode = "files"`: read, and refused as a whole unless callers can use them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from watchword.core.clock import Instant
from watchword.core.secret import Secret
from watchword.crypto.served_certificate import Chain, ServerKey, encode_key, key_fits, read_key
from watchword.errors import InvalidConfigError
from watchword.server.config.model import Config, TLSConfig, TLSMode
from watchword.server.config.problems import ConfigProblem, InvalidSettingsError
from watchword.server.config.secret_files import read_file, read_line

CERTIFICATE: Final = "tls.certificate"
KEY: Final = "tls.key"
PASSWORD: Final = "tls.key_password_file"  # noqa: S105  # the name of a setting


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSFiles:
    chain: Chain
    key: Secret
    """Unencrypted PEM."""


def read_tls_files(config: Config, *, now: Instant) -> TLSFiles:
    """Raises `InvalidSettingsError` with everything that is wrong with them."""
    files, problems = examine_tls_files(config.tls, host=host_of(config.resolve_origin(0)), now=now)
    if problems or files is None:
        raise InvalidSettingsError(problems)
    return files


def examine_tls_files(
    tls: TLSConfig, *, host: str, now: Instant
) -> tuple[TLSFiles | None, list[ConfigProblem]]:
    """What the files hold for a server that callers name `host`, and all that is wrong with them."""
    problems: list[ConfigProblem] = []
    chain = _read_chain(tls.certificate, problems)
    key = _read_key(tls.key, tls.key_password_file, problems)
    if chain is not None:
        found = chain.find_problems(host=host, now=now)
        problems += [_problem(CERTIFICATE, tls.certificate, text) for text in found]
    if chain is None or key is None:
        return None, problems
    if not key_fits(key, chain):
        problems.append(_problem(KEY, tls.key, f"does not belong to the certificate in {tls.certificate}"))
    return TLSFiles(chain=chain, key=encode_key(key)), problems


def host_of(origin: str) -> str:
    return urlsplit(origin).hostname or ""


def tls_file_warnings(config: Config, *, now: Instant) -> Iterator[str]:
    """For files that were found good."""
    if config.tls.mode is TLSMode.FILES:
        hosts = [urlsplit(f"//{name}").hostname or name for name in config.hosts]
        for text in read_tls_files(config, now=now).chain.find_warnings(hosts=hosts, now=now):
            yield f"{CERTIFICATE}: {config.tls.certificate} {text}"


def _problem(key: str, path: Path | None, text: str) -> ConfigProblem:
    return ConfigProblem(key=key, place=str(path), detail=text)


def _read_chain(path: Path | None, problems: list[ConfigProblem]) -> Chain | None:
    try:
        return Chain.from_pem(read_file(path, secret=False))
    except InvalidConfigError as error:
        problems.append(_problem(CERTIFICATE, path, error.detail))
        return None


def _read_key(
    path: Path | None, password_file: Path | None, problems: list[ConfigProblem]
) -> ServerKey | None:
    try:
        password = _read_password(password_file) if password_file else None
    except InvalidConfigError as error:
        problems.append(_problem(PASSWORD, password_file, error.detail))
        return None
    try:
        return read_key(Secret(read_file(path, secret=True)), password)
    except InvalidConfigError as error:
        problems.append(_problem(KEY, path, error.detail))
        return None


def _read_password(path: Path) -> Secret:
    line = read_line(path)
    if not line:
        raise InvalidConfigError("has no password on its first line")
    return Secret(line)
