"""Diagrams on the site: ```` ```mermaid ```` blocks, which forges draw by themselves.

The drawing is done in the reader's browser by Mermaid's own script, which `tools/fetch_mermaid.py` puts into
`build/mermaid.js`; nothing comes from a third party when a page is read. Without the file the text is shown as it is.
"""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.fileutil import copy_asset_file

SCRIPT = Path(__file__).parents[2] / "build" / "mermaid.js"
LICENCE = SCRIPT.with_name("mermaid.LICENSE.txt")


class Diagrams(SphinxTransform):
    """Turns fenced blocks of the language `mermaid` into what the script looks for."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        for block in list(self.document.findall(nodes.literal_block)):
            if block.get("language") == "mermaid":
                text = self._escaped(block.astext())
                block.replace_self(nodes.raw("", f'<pre class="mermaid">{text}</pre>', format="html"))
                self.env.metadata[self.env.docname]["diagrams"] = True

    @staticmethod
    def _escaped(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _add_script(
    app: Sphinx, pagename: str, _template: str, _context: dict[str, Any], _doctree: object
) -> None:
    """Only where there is something to draw: the script has 3 MB."""
    if SCRIPT.is_file() and app.env.metadata.get(pagename, {}).get("diagrams"):
        app.add_js_file("mermaid.js")
        app.add_js_file("diagrams.js")


def _copy_script(app: Sphinx, error: Exception | None) -> None:
    if error is None and SCRIPT.is_file() and app.builder.format == "html":
        for file in (SCRIPT, LICENCE):
            copy_asset_file(file, app.outdir / "_static")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_transform(Diagrams)
    app.connect("html-page-context", _add_script)
    app.connect("build-finished", _copy_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
