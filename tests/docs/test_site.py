"""The site is built without a warning, and whoever reads it asks nobody else for anything."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc="(?:https?:)?//"""
    r"""|<link\b(?![^>]*rel="canonical")[^>]*\bhref="(?:https?:)?//"""
)
FETCHED_BY_STYLE = re.compile(r"""(?:@import|url\()\s*['"]?(?:https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-c", str(ROOT / "docs")]
    done = subprocess.run(
        [*command, "-d", str(place / "doctrees"), str(ROOT), str(place / "html")],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return place / "html"


def test_the_site_is_built_without_a_warning_and_has_every_page(site: Path) -> None:
    pages = [page for page in (ROOT / "docs").rglob("*.md") if page != ROOT / "docs/README.md"]
    for page in pages:
        assert (site / page.relative_to(ROOT)).with_suffix(".html").is_file(), page
    assert "docs/index.html" in (site / "index.html").read_text()
    assert (site / "searchindex.js").stat().st_size > 10_000


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert FETCHED.search(page.read_text()) is None, page.name
    for style in site.rglob("*.css"):
        assert FETCHED_BY_STYLE.search(style.read_text()) is None, style.name
    assert FETCHED.search('<script defer src="https://cdn.example/x.js">') is not None
    assert FETCHED_BY_STYLE.search("@import url('https://fonts.example/x')") is not None


def test_diagrams_are_handed_to_the_script_and_not_shown_as_code(site: Path) -> None:
    text = (site / "docs/diagrams.html").read_text()
    assert text.count('<pre class="mermaid">') == (ROOT / "docs/diagrams.md").read_text().count("```mermaid")
    assert "-&gt;&gt;" in text


def test_links_to_pages_outside_the_folder_lead_to_pages(site: Path) -> None:
    assert 'href="../../README.html"' not in (site / "docs/index.html").read_text()
    assert (site / "README.html").is_file()
    assert 'href="docs/' in (site / "README.html").read_text()
    assert not re.findall(r'href="[^":]*\.md[#"]', (site / "README.html").read_text())


def test_the_public_names_of_the_python_api_are_described(site: Path) -> None:
    import watchword.middleware  # noqa: PLC0415  # what the page is made of
    import watchword.testing  # noqa: PLC0415

    text = (site / "docs/reference/python.html").read_text()
    for module in (watchword.middleware, watchword.testing):
        for name in module.__all__:
            assert f'id="{module.__name__}.{name}"' in text, name
