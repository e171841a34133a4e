"""Docstrings as we write them: sections of Google's form in functions and classes.

Napoleon itself would also take what stands before a colon in the sentence of an attribute for its type.
"""

from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, GoogleDocstring

_SENTENCES = frozenset({"attribute", "data", "property"})


def _read_sections(_app: Sphinx, what: str, name: str, obj: object, _options: Any, lines: list[str]) -> None:
    if what not in _SENTENCES:
        lines[:] = GoogleDocstring(lines, Config(), what=what, name=name, obj=obj).lines()


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", _read_sections)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
