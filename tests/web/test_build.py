"""What is committed of the pages' scripts is what the sources and the lock file give, and nothing else is in it."""

import gzip
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest
from tests.kits.process import clean_environment
from tests.kits.toolchains import ROOT, WEB, web_packages

from watchword.server.pages.assets import STATIC
from watchword.testing import components

_LIMIT_SECONDS: Final = 240
_BEFORE_HASHING: Final = 60_000
"""Bytes over the wire for the login page, before the module that hashes is loaded."""
_ROOM_FOR_HTML: Final = 12_000
_WORKER: Final = 110_000


def manifest() -> dict[str, Any]:
    listed: dict[str, Any] = json.loads((STATIC / "manifest.json").read_text())
    return listed


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def run_tool(*command: str) -> "subprocess.CompletedProcess[str]":
    modules, node = web_packages(), components.require("node")
    return subprocess.run(
        [str(node), *(part.replace("MODULES", str(modules)) for part in command)],
        cwd=WEB,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT_SECONDS,
    )


def packed_size(name: str) -> int:
    return len(gzip.compress((STATIC / manifest()[name]["file"]).read_bytes()))


def test_the_committed_build_is_what_the_sources_give(tmp_path):
    done = run_tool("build.mjs", str(tmp_path / "static"))
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "static") == contents(STATIC), (
        "web/ has changed: make web, and commit what it made"
    )


def test_the_scripts_have_no_errors_of_types():
    done = run_tool("MODULES/typescript/bin/tsc", "--noEmit")
    assert (done.returncode, done.stdout) == (0, "")


def test_every_file_is_listed_and_every_listed_file_is_there():
    listed = {about["file"] for about in manifest().values() if "source" not in about}
    assert listed | {"manifest.json"} == set(contents(STATIC))
    assert all((STATIC / about["source"]).is_file() for about in manifest().values() if "source" in about)


def test_nothing_in_the_build_tells_of_a_machine_or_of_sources():
    for name, data in contents(STATIC).items():
        assert b"sourceMappingURL" not in data, name
        assert not re.search(rb"/(?:home|root|tmp|work|Users)/|node_modules", data), name


def test_no_script_writes_markup_or_styles():
    """A policy of the page forbids it too; here it is found before a browser does."""
    forbidden = (
        rb"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\.cssText|\.style\b|\beval\(|new Function"
    )
    for name in ("login.js", "register.js", "password.js", "dashboard.js"):
        assert not re.search(forbidden, (STATIC / manifest()[name]["file"]).read_bytes()), name


def test_the_licences_of_all_that_is_inside_come_with_it():
    text = (STATIC / manifest()["licences.txt"]["file"]).read_text()
    for name, version in shipped_packages():
        assert f"{name} {version} (" in text
    scripts = [data for name, data in contents(STATIC).items() if name.endswith(".js")]
    assert all(manifest()["licences.txt"]["file"].encode() in data[:200] for data in scripts)


def shipped_packages() -> list[tuple[str, str]]:
    packages = json.loads((WEB / "package-lock.json").read_text())["packages"]
    return [
        (path.rpartition("node_modules/")[2], about["version"])
        for path, about in packages.items()
        if path and not about.get("dev") and not about.get("optional")
    ]


def test_the_lock_file_holds_every_package_to_its_hash_and_names_no_registry():
    text = (WEB / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert all(about.get("integrity") for path, about in packages.items() if path)
    assert "resolved" not in text
    package = json.loads((WEB / "package.json").read_text())
    versions = [*package["dependencies"].values(), *package["devDependencies"].values()]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)


def test_the_login_page_is_small_before_the_hashing_module():
    before = packed_size("login.js") + packed_size("site.css") + packed_size("icon.svg") + _ROOM_FOR_HTML
    assert before <= _BEFORE_HASHING
    assert packed_size("worker.js") <= _WORKER


@pytest.mark.parametrize("page", ["login", "register", "password", "dashboard"])
def test_a_pages_own_script_is_a_few_kilobytes(page):
    assert packed_size(f"{page}.js") <= 8_000


def test_the_wheel_carries_the_whole_build(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=240)
    (wheel,) = tmp_path.iterdir()
    place = "watchword/server/pages/static/"
    with zipfile.ZipFile(wheel) as opened:
        carried = {
            name.removeprefix(place): opened.read(name)
            for name in opened.namelist()
            if name.startswith(place)
        }
        others = [name for name in opened.namelist() if name.startswith("web/") or name.endswith(".ts")]
    assert carried == contents(STATIC)
    assert others == []
