"""How the site is made: `make docs`. The source folder is the whole repository, so that links mean the same everywhere.

A page links to `../README.md` or `../examples/flask/README.md` as a forge shows it, and on the site it leads to that
page; a link to a file of the source downloads it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from watchword import __version__

project = "Watchword"
author = copyright = "The Watchword authors"  # noqa: A001  # the name that Sphinx reads
version = release = __version__

root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "examples/**README.md",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
]
exclude_patterns = [
    *(".*", "build", "dist", "src", "tests", "tools", "bench", "requirements", "deploy", "watchword-data"),
    "**/node_modules",
    "docs/README.md",  # what a forge shows for the folder; the site has docs/index.md
]
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "tools.site.diagrams",
    "tools.site.docstrings",
    "tools.site.links",
]

nitpicky = True
nitpick_ignore_regex = [("py:.*", r".*")]
suppress_warnings: list[str] = []
myst_heading_anchors = 3
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
highlight_language = "text"
default_role = "literal"  # docstrings are Markdown as far as backticks go
python_display_short_literal_types = True

html_theme = "furo"
html_title = f"Watchword {release}"
html_static_path = ["_static"]
html_extra_path = ["_root"]  # a front door that leads to docs/index.html
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#2d5d4f",
        "color-brand-content": "#2d5d4f",
    },
    "dark_css_variables": {
        "color-brand-primary": "#8fd0ba",
        "color-brand-content": "#8fd0ba",
    },
}
