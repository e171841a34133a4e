"""What is installed is what is locked, byte for byte (FAULTS N7)."""

import base64
import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.markers import Marker

ROOT = Path(__file__).resolve().parents[3]
PYTHON = sys.executable
UV = Path(sys.executable).with_name("uv")
LISTS = ("bootstrap.txt", "dev.txt")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ \\]+)(?: ; ([^\\]+?))? ?\\?$", re.MULTILINE)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(name: str) -> dict[str, str]:
    """Name and version of what a list asks for on this system."""
    text = (ROOT / "requirements" / name).read_text()
    return {
        normal(package): version
        for package, version, marker in PIN.findall(text)
        if not marker or Marker(marker).evaluate()
    }


def test_fault_N7_what_is_installed_is_what_is_locked() -> None:
    freeze = [str(UV), "pip", "freeze", "--exclude-editable", "--python", PYTHON]
    frozen = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout.split()
    installed = {normal(name): version for name, version in (line.split("==") for line in frozen)}
    wanted = {name: version for chosen in LISTS for name, version in pins(chosen).items()}
    brought_by_venv = {"pip", "setuptools"} - wanted.keys()
    assert {name: installed[name] for name in installed if name not in brought_by_venv} == wanted


def test_fault_N7_every_locked_line_has_hashes_and_no_address() -> None:
    for name in (*LISTS, "server.txt"):
        text = (ROOT / "requirements" / name).read_text()
        entries = re.split(r"\n(?=\S)", text.strip())
        assert all("==" in entry and "--hash=sha256:" in entry for entry in entries), name
        assert "://" not in text


def test_what_servers_install_is_a_part_of_what_is_tested() -> None:
    assert pins("server.txt").items() <= pins("dev.txt").items()


def make_wheel(folder: Path) -> str:
    """A package with nothing in it; returns its hash."""
    folder.mkdir(exist_ok=True)
    wheel = folder / "nothing-1.0-py3-none-any.whl"
    files = {
        "nothing.py": b"",
        "nothing-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: nothing\nVersion: 1.0\n",
        "nothing-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for name, data in files.items()
    )
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr("nothing-1.0.dist-info/RECORD", record + "nothing-1.0.dist-info/RECORD,,\n")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


INSTALLERS = [
    pytest.param([str(UV), "pip", "install", "--offline", "--no-cache", "--python", PYTHON], id="uv"),
    pytest.param([PYTHON, "-m", "pip", "install", "--isolated", "--disable-pip-version-check"], id="pip"),
]


@pytest.mark.parametrize("installer", INSTALLERS)
def test_fault_N7_an_install_with_one_hash_changed_fails(tmp_path: Path, installer: list[str]) -> None:
    right = make_wheel(tmp_path / "wheels")
    wrong = ("1" if right[0] == "0" else "0") + right[1:]
    codes = []
    for digest in (right, wrong):
        wanted = tmp_path / f"{digest}.txt"
        wanted.write_text(f"nothing==1.0 --hash=sha256:{digest}\n")
        target = tmp_path / digest
        done = subprocess.run(
            [*installer, "--require-hashes", "--no-index", "--find-links", str(tmp_path / "wheels"),
             "--target", str(target), "-r", str(wanted)],
            capture_output=True,
            text=True,
            timeout=240,
        )  # fmt: skip
        codes.append(
            (
                done.returncode != 0,
                "hash" in (done.stdout + done.stderr).lower(),
                (target / "nothing.py").exists(),
            )
        )
    assert codes == [(False, codes[0][1], True), (True, True, False)]


def test_the_environment_is_made_with_hashes_required() -> None:
    script = (ROOT / "tools/make_env.sh").read_text()
    installs = [line for line in script.splitlines() if " pip " in line and "requirements/" in line]
    assert len(installs) == 3
    assert all("--require-hashes" in line for line in installs)
