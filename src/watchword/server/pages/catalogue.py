"""What the pages say, in each language: tables of sentences, read from `messages/` when the first page is asked for."""

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from watchword.errors import DamagedError

DEFAULT_LANGUAGE: Final = "en"
LANGUAGES: Final = ("en", "de")
"""As in `lang` and `Content-Language`; each has a file."""
_MESSAGES: Final = Path(__file__).parent / "messages"
_FORMS: Final = frozenset({"one", "other"})
_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Plural:
    """A sentence with a number in it. English and German both tell one from all others."""

    one: str
    other: str

    def of(self, count: int) -> str:
        return self.one if count == 1 else self.other


Entry = str | Plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """All sentences of one language, by keys like `login.title`."""

    language: str
    entries: Mapping[str, Entry]

    def pattern(self, key: str, count: int | None = None) -> str:
        """The sentence with its placeholders. Raises `KeyError`; a plural one needs `count`."""
        entry = self.entries[key]
        if isinstance(entry, str):
            return entry
        if count is None:
            raise KeyError(f"{key} needs a count")
        return entry.of(count)

    def plain(self, key: str, **values: Any) -> str:
        """The sentence as plain text, for what is not HTML."""
        return self.pattern(key, values.get("count")).format(**values)

    def under(self, *tables: str) -> dict[str, str]:
        """Every sentence of these tables, for scripts; a plural one gives `key.one` and `key.other`."""
        found: dict[str, str] = {}
        for key, entry in self.entries.items():
            if key.partition(".")[0] not in tables:
                continue
            if isinstance(entry, str):
                found[key] = entry
            else:
                found |= {f"{key}.one": entry.one, f"{key}.other": entry.other}
        return found


@functools.cache
def texts_of(language: str) -> Texts:
    """The sentences of one of `LANGUAGES`. Raises `DamagedError` where the file is not as it was made."""
    try:
        with (_MESSAGES / f"{language}.toml").open("rb") as file:
            table = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DamagedError(f"the texts of the pages ({language}) cannot be read") from error
    return Texts(language=language, entries=dict(_flatten(table, "")))


def placeholders(entry: Entry) -> frozenset[str]:
    """The names that a sentence leaves open."""
    patterns = (entry,) if isinstance(entry, str) else (entry.one, entry.other)
    return frozenset(name for pattern in patterns for name in _PLACEHOLDER.findall(pattern))


def _flatten(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Entry]]:
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, str):
            yield key, value
        elif set(value) == _FORMS:
            yield key, Plural(value["one"], value["other"])
        else:
            yield from _flatten(value, f"{key}.")
