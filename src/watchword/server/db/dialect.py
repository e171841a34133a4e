"""SQL written once, for both engines.

Statements use `:name` parameters, `::type` casts where PostgreSQL cannot infer a type, `{for_update}`, and `{find}`:
the function that gives the place of one text in another, from 1, or 0.
DDL uses `{blob}`, `{bigint}` and `{text}` for column types, and `{clustered}` behind a table of small rows that
SQLite keeps in the tree of their key: one search where there would be two. String literals, quoted names and comments
are left alone.
"""

import enum
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from watchword.server.db.unit import Parameters, Value

_CACHED_STATEMENTS: Final = 4096  # more than there are in the code; bounded in case one is built at run time
_TOKEN: Final = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/   # left alone
      | ::(?P<cast>[a-z]+(?:\[\])?) | (?<!:):(?P<name>[a-z_][a-z0-9_]*)""",
    re.VERBOSE | re.DOTALL,
)
_RETURNING: Final = re.compile(r"\breturning\b")


class Engine(enum.StrEnum):
    SQLITE = "sqlite"
    POSTGRES = "postgres"


_TYPES: Final = {
    Engine.SQLITE: {"blob": "blob", "bigint": "integer", "text": "text", "clustered": "without rowid"},
    Engine.POSTGRES: {"blob": "bytea", "bigint": "bigint", "text": "text", "clustered": ""},
}
_FIND: Final = {Engine.SQLITE: "instr", Engine.POSTGRES: "strpos"}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as one engine wants it."""

    text: str
    names: tuple[str, ...]
    """The parameter that stands at `$1` or `?1`, `$2` or `?2`, …; each name once."""
    bind: Callable[[Parameters], tuple[Value, ...]]
    """The values in that order. Raises KeyError for a missing one."""
    is_select: bool
    gives_rows: bool
    """A select, or something with `returning`: its guard counts the rows it gives."""


def _binder(names: tuple[str, ...]) -> Callable[[Parameters], tuple[Value, ...]]:
    match names:
        case ():
            return lambda _parameters: ()
        case (name,):
            return lambda parameters: (parameters[name],)
    return itemgetter(*names)


def _number(sql: str, sign: str, *, casts: bool) -> Statement:
    """Replace names by `sign` and a number, in order of first appearance."""
    names: list[str] = []

    def replace(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            return "" if found["cast"] and not casts else found[0]
        if name not in names:
            names.append(name)
        return f"{sign}{names.index(name) + 1}"

    text = _TOKEN.sub(replace, sql)
    bare = _TOKEN.sub(" ", sql).lower()
    is_select = bare.lstrip().startswith("select")
    gives_rows = is_select or _RETURNING.search(bare) is not None
    return Statement(text, tuple(names), _binder(tuple(names)), is_select, gives_rows)


@functools.lru_cache(_CACHED_STATEMENTS)
def for_sqlite(sql: str) -> Statement:
    """Casts go, since SQLite types values and not expressions."""
    return _number(_fill(sql, Engine.SQLITE, for_update=""), "?", casts=False)


@functools.lru_cache(_CACHED_STATEMENTS)
def for_postgres(sql: str) -> Statement:
    return _number(_fill(sql, Engine.POSTGRES, for_update="for update"), "$", casts=True)


def _fill(sql: str, engine: Engine, *, for_update: str) -> str:
    return sql.replace("{for_update}", for_update).replace("{find}", _FIND[engine])


def define(ddl: str, engine: Engine) -> str:
    """Fill the placeholders of a migration."""
    ddl = ddl.replace("{find}", _FIND[engine])
    for placeholder, name in _TYPES[engine].items():
        ddl = ddl.replace(f"{{{placeholder}}}", name)
    return ddl
