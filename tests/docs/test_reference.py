"""What of the reference is generated is as the code is now, and says all of it."""

import inspect
import io
import json
import tarfile

import pytest
from tools import fetch_mermaid
from tools.reference.__main__ import FOLDER, PAGES, stale
from tools.reference.markdown import table
from tools.reference.metrics import described

from watchword.cli.reference import describe_commands
from watchword.errors import ErrorCode
from watchword.server.audit.model import AuditTag
from watchword.server.config import FIELDS
from watchword.server.metrics import families


def read(name: str) -> str:
    return (FOLDER / name).read_text()


def test_the_generated_pages_are_as_the_code_is_now() -> None:
    assert stale() == [], "make reference"


def test_a_page_that_is_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PAGES, "codes.md", lambda: "something else")
    assert stale() == ["codes.md"]


def test_every_command_and_option_is_in_the_reference() -> None:
    page = read("commands.md")
    for command in describe_commands():
        assert command.is_group or f"## `{command.name}`" in page
        for each in command.options:
            assert all(f"`{spelling}`" in page for spelling in each.spelling)


def test_every_setting_is_in_the_reference() -> None:
    page = read("configuration.md")
    for field in FIELDS:
        assert f"## `{field.key}`" in page
        assert field.effect in page
        assert f"`{field.variable}`" in page


def test_every_code_and_tag_is_in_the_reference() -> None:
    page = read("codes.md")
    assert all(f"| `{code}` |" in page for code in (*ErrorCode, *AuditTag))


def test_every_operation_is_in_the_reference() -> None:
    page = read("http.md")
    for path, place in json.loads(read("openapi.json"))["paths"].items():
        for method in place.keys() - {"head", "parameters"}:
            assert f"### `{method.upper()} {path}`" in page


def test_every_metric_is_in_the_reference() -> None:
    public = {
        name
        for name, each in vars(families).items()
        if inspect.isfunction(each) and each.__module__ == families.__name__ and not name.startswith("_")
    }
    assert public == described().keys(), "a source of metrics that the page does not have"
    page = read("metrics.md")
    assert all(found for found in described().values())
    assert all(f"| `{family.name}" in page for found in described().values() for family in found)


def test_a_bar_does_not_end_a_cell() -> None:
    assert table(("a",), [("x | y",)])[2] == r"| x \| y |"


def test_of_a_package_only_the_script_and_its_licence_are_taken(tmp_path) -> None:
    package = tmp_path / "mermaid.tgz"
    with tarfile.open(package, "w:gz") as archive:
        for name in ("package/dist/mermaid.min.js", "package/LICENSE", "package/evil.js", "../evil.js"):
            member = tarfile.TarInfo(name)
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    fetch_mermaid.unpack(package, tmp_path / "build")
    assert {each.name: each.read_text() for each in (tmp_path / "build").iterdir()} == {
        "mermaid.js": "package/dist/mermaid.min.js",
        "mermaid.LICENSE.txt": "package/LICENSE",
    }


def test_another_package_than_the_one_that_was_looked_at_is_refused(tmp_path) -> None:
    package = tmp_path / "mermaid.tgz"
    package.write_bytes(b"something else")
    with pytest.raises(ValueError, match="another hash"):
        fetch_mermaid.check(package)
