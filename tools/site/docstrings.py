"""Docstrings as we write them: sections of Google's form, and indented examples.

Napoleon itself would also take what stands before a colon in the sentence of an attribute for its type.
"""

from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring

_CONFIG: Any = Config()
_SENTENCES = frozenset({"attribute", "data", "property"})


def _read_sections(_app: Sphinx, what: Any, name: str, obj: object, _options: Any, lines: list[str]) -> None:
    lines[:] = _with_examples(lines)
    if what not in _SENTENCES:
        lines[:] = GoogleDocstring(lines, _CONFIG, what=what, name=name, obj=obj).lines()


def _with_examples(lines: list[str]) -> Iterator[str]:
    """Say of each indented block behind an empty line that it is to be shown as it stands."""
    inside, before = False, "."
    for line in lines:
        indented = line.startswith("    ")
        if indented and not inside and not before:
            yield from ("::", "")
        inside = indented or (inside and not line)
        before = line
        yield line


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", _read_sections)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
