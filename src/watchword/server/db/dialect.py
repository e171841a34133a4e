"""SQL written once, for both engines.

Statements use `:name` parameters, `::type` casts where PostgreSQL cannot infer a type, and `{for_update}`.
DDL uses `{blob}`, `{bigint}` and `{text}` for column types. String literals, quoted names and comments are left alone.
"""

import enum
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_CACHED_STATEMENTS: Final = 4096  # more than there are in the code; bounded in case one is built at run time
_TOKEN: Final = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/   # left alone
      | ::(?P<cast>[a-z]+(?:\[\])?) | (?<!:):(?P<name>[a-z_][a-z0-9_]*)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENTS: Final = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)
_RETURNING: Final = re.compile(r"\breturning\b")


class Engine(enum.StrEnum):
    SQLITE = "sqlite"
    POSTGRES = "postgres"


_TYPES: Final = {
    Engine.SQLITE: {"blob": "blob", "bigint": "integer", "text": "text"},
    Engine.POSTGRES: {"blob": "bytea", "bigint": "bigint", "text": "text"},
}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as one engine wants it."""

    text: str
    names: tuple[str, ...]
    """PostgreSQL: the parameter that stands at `$1`, `$2`, …; each name once."""
    is_select: bool
    gives_rows: bool
    """A select, or something with `returning`: its guard counts the rows it gives."""


def _translate(sql: str, write: Callable[[re.Match[str]], str | None]) -> str:
    return _TOKEN.sub(lambda found: replaced if (replaced := write(found)) is not None else found[0], sql)


def _statement(sql: str, text: str, names: tuple[str, ...]) -> Statement:
    bare = _TOKEN.sub(" ", sql).lower()
    is_select = bare[_COMMENTS.match(bare).end() :].startswith("select")  # type: ignore[union-attr]  # matches ""
    return Statement(text, names, is_select, is_select or _RETURNING.search(bare) is not None)


@functools.lru_cache(_CACHED_STATEMENTS)
def for_sqlite(sql: str) -> Statement:
    """Parameters stay named; casts go, since SQLite types values and not expressions."""
    text = _translate(sql.replace("{for_update}", ""), lambda found: "" if found["cast"] else None)
    return _statement(sql, text, ())


@functools.lru_cache(_CACHED_STATEMENTS)
def for_postgres(sql: str) -> Statement:
    """Each name becomes one `$n`, in order of first appearance."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str | None:
        name = found["name"]
        if name is None:
            return None
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    text = _translate(sql.replace("{for_update}", "for update"), number)
    return _statement(sql, text, tuple(names))


def define(ddl: str, engine: Engine) -> str:
    """Fill the type placeholders of a migration."""
    for placeholder, name in _TYPES[engine].items():
        ddl = ddl.replace(f"{{{placeholder}}}", name)
    return ddl
