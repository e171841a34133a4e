"""Docstrings as we write them: a colon in the sentence of an attribute does not make what stands before it a type."""

from typing import Any

from sphinx.application import Sphinx

_BEFORE_NAPOLEON = 400


def _keep_sentence(
    _app: Sphinx, what: str, _name: str, _obj: object, _options: Any, lines: list[str]
) -> None:
    """An empty first line: Napoleon looks for a type in the first one alone."""
    if what in {"attribute", "data", "property"} and lines and ":" in lines[0]:
        lines.insert(0, "")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", _keep_sentence, priority=_BEFORE_NAPOLEON)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
