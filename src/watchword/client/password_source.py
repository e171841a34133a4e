"""Where a client gets its password from: asked for when it is needed, and not kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from watchword.core.secret import Secret
from watchword.errors import InvalidConfigError, MalformedError
from watchword.protocol.passwords import prepare

PasswordSource = Secret | Path | Callable[[], Secret | str]
"""The password itself, which then stays in this process for as long as the client does; a file, whose first line is
read each time; or a function, called each time (by `AsyncClient` in a thread)."""
_MAX_LINE: Final = 4096


def read_password(source: PasswordSource) -> Secret:
    """The password as it is stretched (docs/protocol/login.md, step 2).

    Raises:
        InvalidConfigError: the file cannot be read, or has no first line that is a password.
        MalformedError: what was given is no text that a password could be.
    """
    if isinstance(source, Secret):
        return _prepared(source)
    if isinstance(source, Path):
        return _prepared(_first_line(source))
    given = source()
    return prepare(given) if isinstance(given, str) else _prepared(given)


def _prepared(secret: Secret) -> Secret:
    try:
        return prepare(secret.reveal().decode())
    except UnicodeDecodeError:
        raise MalformedError("the password is not UTF-8") from None


def _first_line(path: Path) -> Secret:
    try:
        with path.open("rb") as file:
            line = file.readline(_MAX_LINE + 1)
    except OSError as error:
        raise InvalidConfigError(f"cannot read the password file {path}: {error.strerror}") from error
    text = line.removesuffix(b"\n").removesuffix(b"\r")
    if not text or len(line) > _MAX_LINE:
        raise InvalidConfigError(f"the first line of {path} is no password")
    return Secret(text)
