"""Reading the TOML file: closed to others where it must be, with the line of every key."""

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from watchword.errors import InvalidConfigError
from watchword.server.config.fields import BY_KEY
from watchword.server.config.problems import ConfigProblem

MAX_SIZE: Final = 1 << 16
"""Bytes: a hundred times what all settings need."""
_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022
_TABLES: Final = frozenset(key.partition(".")[0] for key in BY_KEY if "." in key)
_HEADER: Final = re.compile(r"\s*\[\s*([\w.\"-]+)\s*\]")
_ASSIGNMENT: Final = re.compile(r"\s*([\w.\"-]+)\s*=")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """`values` by dotted key. `closed`: only the owner reads it."""

    path: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    closed: bool = True

    def place(self, key: str) -> str:
        line = self.lines.get(key)
        return f"{self.path}, line {line}" if line else str(self.path)

    def unknown(self) -> Iterator[ConfigProblem]:
        """Keys that mean nothing: a typing error would else be a setting silently left at its default."""
        for key, value in self.values.items():
            if key in BY_KEY:
                continue
            if key in _TABLES:
                yield ConfigProblem(
                    key=key, place=self.place(key), detail=f"is a table: write [{key}] above its keys"
                )
                continue
            near = difflib.get_close_matches(key, BY_KEY, n=1) or _by_last_part(key)
            hint = f"; did you mean “{near[0]}”?" if near else ""
            kind = "there is no such table" if isinstance(value, dict) else "there is no such setting"
            yield ConfigProblem(key=key, place=self.place(key), detail=f"{kind}{hint}")


def _by_last_part(key: str) -> list[str]:
    last = key.rpartition(".")[2]
    return [known for known in BY_KEY if known.rpartition(".")[2] == last]


def read_file(path: Path) -> ConfigFile:
    """Raises `InvalidConfigError` for a file that is missing, not ours to trust, or not TOML."""
    content, status = _read(path)
    if status.st_mode & _OTHERS_WRITE or status.st_uid not in {os.geteuid(), 0}:
        raise InvalidConfigError(f"{path}: others can change this file; run “chmod go-w” on it, and own it")
    try:
        text = content.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError:
        raise InvalidConfigError(f"{path} is not text in UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidConfigError(f"{path} is not TOML: {_where(error)}") from None
    return ConfigFile(
        path=path,
        values=dict(_flatten(document)),
        lines=_lines(text),
        closed=not status.st_mode & _OTHERS,
    )


_CAUSES: Final = {
    "Cannot overwrite a value": "a setting is given twice",
    "Cannot declare": "a table is given twice",
    "Invalid value": "a value is missing, or is no text in quotes, number, true or false",
    "Unterminated string": "a text has no closing quote",
    "Unclosed array": "a list has no closing bracket",
    "Expected '=' after a key": "“=” is missing after the name of a setting",
    "Expected newline": "something follows a value in its line",
    "Expected ']'": "“]” is missing after the name of a table",
    r"Illegal character '\n'": "a text has no closing quote in its line",
    "Illegal character": "a character that cannot be printed",
}
"""Beginnings of the parser's messages, in words that quote nothing."""


def _where(error: Exception) -> str:
    """Place and cause, in our words: the parser's text may quote a value, which may be a secret."""
    found = re.search(r"\(at (line \d+, column \d+|end of document)\)", str(error))
    cause = next((ours for theirs, ours in _CAUSES.items() if str(error).startswith(theirs)), "")
    place = f"see {found[1]}" if found else "it cannot be read"
    return f"{cause} ({place})" if cause else place


def _read(path: Path) -> tuple[bytes, os.stat_result]:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InvalidConfigError(f"{path} is not a file")
            content = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise InvalidConfigError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > MAX_SIZE:
        raise InvalidConfigError(f"{path} is longer than {MAX_SIZE} bytes")
    return content, status


def _flatten(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict) and name in _TABLES:
            yield from ((f"{name}.{inner}", item) for inner, item in value.items())
        else:
            yield name, value


def _lines(text: str) -> dict[str, int]:
    """Where each key stands; good enough to point at (a key inside a multi-line string would be found too)."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = header[1].replace('"', "")
            found.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            name = assignment[1].replace('"', "")
            found.setdefault(f"{table}.{name}" if table else name, number)
    return found
