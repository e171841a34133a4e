"""The wheel, installed by itself into an environment of its own: nothing of the source tree is needed any more."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.kits.process import RunningServer, clean_environment
from tools.make_sbom import sbom

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")
PASSWORD = "violet kangaroo plays chess"
# What a service manager gives: no home, no language, and nothing on the path but the system.
BARE = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


def build(folder: Path, target: str = "wheel") -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=240)
    (built,) = folder.iterdir()
    return built


def install(environment: Path, *arguments: str) -> Path:
    """Into an empty environment; gives the folder of its programs."""
    make = [str(UV), "--quiet", "venv", "--python", sys.executable, str(environment)]
    subprocess.run(make, check=True, capture_output=True, timeout=240)
    python = environment / "bin" / "python"
    done = run_pip(
        python, "--offline", "install", "--no-deps", *arguments
    )  # as `make env` left it in its cache
    if done.returncode != 0:
        done = run_pip(python, "--system-certs", "install", "--no-deps", *arguments)
    assert done.returncode == 0, done.stderr
    done = run_pip(python, "--offline", "check")
    assert done.returncode == 0, done.stderr
    return python.parent


def run_pip(python: Path, option: str, what: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(UV), "--quiet", option, "pip", what, "--python", str(python), *arguments],
        env={**os.environ, "UV_HTTP_RETRIES": "8"},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole server, as the guide to installing says: the locked list, then the wheel."""
    locked = ROOT / "requirements" / "server.txt"
    folder = tmp_path_factory.mktemp("whole") / "venv"
    install(folder, "--require-hashes", "-r", str(locked))
    return add_wheel(folder, wheel)


def add_wheel(folder: Path, wheel: Path) -> Path:
    python = folder / "bin" / "python"
    add = [
        str(UV),
        "--quiet",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--python",
        str(python),
        str(wheel),
    ]
    subprocess.run(add, check=True, capture_output=True, timeout=240)
    return python.parent


def call(
    programs: Path, *arguments: str, stdin: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(programs / "watchword"), *arguments],
        env={**BARE, **environ},
        cwd="/",
        input=stdin,
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_the_installed_wheel_serves_registers_and_hands_out_a_token(programs: Path, tmp_path: Path) -> None:
    with RunningServer.start(
        tmp_path / "data", environ=BARE, program=(str(programs / "watchword"),)
    ) as server:
        person = {
            "WATCHWORD_SERVER": server.origin,
            "WATCHWORD_CA": str(server.ca),
            "WATCHWORD_HOME": str(tmp_path / "home"),
        }
        made = call(programs, "register", "ada", "--password-stdin", stdin=f"{PASSWORD}\n", **person)
        assert made.returncode == 0, made.stderr
        asked = ("token", "--for", "https://app.example", "--bearer", "--password-stdin")
        token = call(programs, *asked, stdin=f"{PASSWORD}\n", **person)
        assert token.returncode == 0, token.stderr
        assert token.stdout.count(".") == 2
        listed = call(programs, "accounts", "list", "--json", "--data", str(server.data))
        assert '"ada"' in listed.stdout
        assert server.stop() == 0


def test_the_wheel_carries_what_it_needs_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    inside = {name for name in names if name.startswith("watchword/")}
    assert {"watchword/py.typed", "watchword/server/db/migrations/0001_foundation.sql"} <= inside
    assert not [name for name in inside if name.endswith((".pyc", ".orig", ".db"))]
    others = {name.split("/")[0] for name in names} - {"watchword"}
    assert all(re.fullmatch(r"watchword-[0-9.]+\.(dist-info|data)", name) for name in others), others
    assert any(name.endswith("share/man/man1/watchword-serve.1") for name in names)


def test_the_same_source_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == wheel.read_bytes()


def test_the_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    archive = build(tmp_path / "source", "sdist")
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(tmp_path)], check=True)
    (tree,) = tmp_path.glob("watchword-*")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "again")]
    subprocess.run(command, cwd=tree, check=True, capture_output=True, timeout=240)
    (again,) = (tmp_path / "again").iterdir()
    names = zipfile.ZipFile(again).namelist()
    assert sorted(names) == sorted(zipfile.ZipFile(wheel).namelist())


def test_an_app_that_verifies_tokens_installs_cryptography_alone(wheel: Path, tmp_path: Path) -> None:
    """The base distribution: its middleware works, and its commands say what to add."""
    python = install(tmp_path / "venv", "cryptography", "cffi", "pycparser", str(wheel)) / "python"
    names = {"watchword", "cryptography", "cffi", "pycparser"}
    freeze = [str(UV), "pip", "list", "--format", "json", "--python", str(python)]
    listed = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout
    assert {each["name"] for each in json.loads(listed)} == names
    tried = subprocess.run(
        [str(python), "-c", "import watchword.middleware as m; print(m.WatchwordMiddleware.__name__)"],
        env=BARE,
        capture_output=True,
        text=True,
    )
    assert tried.stdout == "WatchwordMiddleware\n", tried.stderr
    serve = call(python.parent, "serve")
    assert serve.returncode == 2
    assert "pip install" in serve.stderr
    assert "watchword[server]" in serve.stderr
    assert "Traceback" not in serve.stderr


def test_fault_N7_the_bill_of_materials_is_what_is_installed(programs: Path) -> None:
    told = json.loads(sbom(*locked_lists()))
    installs = [each for each in told["components"] if each["purl"].startswith("pkg:pypi/")]
    named = {(each["name"].replace("_", "-"), each["version"]) for each in installs}
    freeze = [str(UV), "pip", "list", "--format", "json", "--python", str(programs / "python")]
    listed = json.loads(subprocess.run(freeze, check=True, capture_output=True, text=True).stdout)
    installed = {(each["name"], each["version"]) for each in listed}
    own = (told["metadata"]["component"]["name"], told["metadata"]["component"]["version"])
    assert named | {own} == installed
    assert all(each["hashes"] for each in told["components"])


def locked_lists() -> tuple[str, str]:
    return (ROOT / "requirements/server.txt").read_text(), (ROOT / "web/package-lock.json").read_text()


def test_fault_N7_the_bill_of_materials_names_what_is_inside_the_scripts() -> None:
    told = json.loads(sbom(*locked_lists()))
    bundled = [each for each in told["components"] if each["purl"].startswith("pkg:npm/")]
    names = {"/".join(filter(None, (each.get("group"), each["name"]))) for each in bundled}
    assert {"@hpke/core", "@hpke/hybridkem-x-wing", "hash-wasm", "mlkem"} <= names
    assert not {"esbuild", "typescript", "axe-core"} & names
    assert all(each["licenses"] and each["hashes"] for each in bundled)


def test_the_bill_of_materials_is_the_same_each_time() -> None:
    lists = locked_lists()
    assert sbom(*lists) == sbom(*lists)
    assert json.loads(sbom(*lists))["specVersion"] == "1.6"
    assert clean_environment()["PATH"] not in sbom(*lists)
