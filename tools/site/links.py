"""Links of Markdown pages that mean more on a forge than to Sphinx: a folder stands for its README."""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)(?P<path>[^)#\s]+)(?=[)#])")


def _name_the_page(app: Sphinx, docname: str, source: list[str]) -> None:
    folder = (Path(app.srcdir) / docname).parent

    def whole(found: re.Match[str]) -> str:
        path = found["path"]
        if (folder / path).resolve() == Path(app.srcdir) / "docs" / "README.md":
            return path.replace("README.md", "index.md")  # what a forge shows for the folder
        readme = folder / path / "README.md"
        return f"{path.rstrip('/')}/README.md" if readme.is_file() else path

    source[0] = _LINK.sub(whole, source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", _name_the_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
