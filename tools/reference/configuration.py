"""The page of all settings, from the table that the server reads them by."""

from collections.abc import Iterator

from tools.reference.markdown import code, page, table

from watchword.server.config import FIELDS
from watchword.server.config.fields import Field

_INTRODUCTION = """\
A flag goes before a variable, a variable before the file, the file before the default. The file is TOML: \
`--config FILE`, `WATCHWORD_CONFIG`, or `DATA/watchword.toml`. An unknown key, a wrong form and an unsafe combination \
are refused before anything starts; `watchword check-config` names every problem, and shows what is in force and where \
it came from.

```toml
origin = "https://id.example.org"
listen = "0.0.0.0:443"
registration = "invite"

[log]
format = "json"
```
"""
_BESIDE = """\
## Variables that are no settings

| variable | what it does |
|---|---|
| `WATCHWORD_CONFIG` | Names the configuration file. |
| `WATCHWORD_ROOT_KEY` | The root key itself, 64 hexadecimal digits or 43 of base64url, in place of a file. |
| `WATCHWORD_DEBUG` | `1` shows what an internal error of a command was. |
"""


def configuration_page() -> str:
    overview = table(
        ("key", "default", "effect"),
        [
            (
                f"[`{each.key}`](#{_anchor(each)})",
                each.default_text,
                each.effect.partition(". ")[0].rstrip(".") + ".",
            )
            for each in FIELDS
        ],
    )
    lines = [_INTRODUCTION, *overview]
    for each in FIELDS:
        lines += _field(each)
    return page("Configuration", [*lines, _BESIDE])


def _anchor(field: Field) -> str:
    return field.key.replace(".", "")


def _field(field: Field) -> Iterator[str]:
    yield from (f"## `{field.key}`", "", field.effect, "")
    rows = [("default", field.default_text), ("form", field.unit), ("variable", code(field.variable))]
    if field.flag:
        rows.append(("flag", code(field.flag)))
    if field.secret:
        rows.append(("secret", "Never shown. A file that holds it must be closed to others."))
    yield from table(("", ""), rows)
