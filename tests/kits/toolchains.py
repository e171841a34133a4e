"""What the examples in other languages are built with: fetched and built once for all processes of a run of tests."""

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.kits.process import clean_environment
from tests.kits.shared import one_at_a_time

from watchword.testing import components

ROOT: Final = Path(__file__).parents[2]
BUILD: Final = ROOT / "build"
NODE: Final = ROOT / "examples/node"
WEB: Final = ROOT / "web"
GO: Final = ROOT / "examples/go"
_LIMIT_SECONDS: Final = 240
_LEAST_NODE: Final = (
    20  # what jose takes, and the pages' own tests; Debian 12 has 18, which has no more security updates
)
_NPM_PATIENCE: Final = [
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--fetch-retries=4",
    "--fetch-timeout=20000",
    "--fetch-retry-mintimeout=500",
]


def node_packages() -> Path:
    """The folder `node_modules` with what the example's lock file names. Skips the test where it cannot be had."""
    return _npm_packages(NODE, "node")


def web_packages() -> Path:
    """Likewise, what the scripts of the pages are built and tested with."""
    return _npm_packages(WEB, "web")


def _npm_packages(folder: Path, name: str) -> Path:
    node = components.require("node")
    version = _ran([str(node), "--version"], folder, {}).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < _LEAST_NODE:
        components.lacking("node", f"20 or later is needed, and this is {version}", packaged=False)
    npm = components.require("npm")
    modules, lock = folder / "node_modules", folder / "package-lock.json"
    with _one_at_a_time(name):
        stamp = modules / ".package-lock.json"
        if not stamp.exists() or stamp.stat().st_mtime < lock.stat().st_mtime:
            _fetch("the npm registry", [str(npm), "ci", "--ignore-scripts", *_NPM_PATIENCE], folder)
            stamp.touch()
    return modules


def go_environment() -> dict[str, str]:
    """The environment in which `go run .` in the example starts at once. Skips the test where that cannot be.

    A first build, of Go's own library too, takes 20 s of a processor; what it made is kept in `build`. Debian 12 has no
    Go that any maintained library takes, so a machine without one is told of and is no failure.
    """
    go = shutil.which("go")
    if go is None:
        components.lacking("go", "it is not on the PATH", packaged=False)
    environ = {
        "GOCACHE": str(BUILD / "go-cache"),
        "GOMODCACHE": str(BUILD / "go-modules"),
        "GOTOOLCHAIN": "local",
        # Half the time of a first build: no optimising, no C compiler.
        "GOFLAGS": "-buildvcs=false -modcacherw '-gcflags=all=-N -l'",
        "CGO_ENABLED": "0",
    }
    with _one_at_a_time("go"):
        wanted = re.search(r"^go (\S+)$", (GO / "go.mod").read_text(), re.MULTILINE)
        done = _ran([go, "list", "-m"], GO, environ)
        if done.returncode != 0 and wanted is not None:
            components.lacking(
                "go", f"{wanted[1]} or later is needed: {done.stderr.strip()[-300:]}", packaged=False
            )
        _fetch("the Go module proxy", [go, "mod", "download"], GO, environ)
        built = _ran([go, "build", "-o", str(BUILD / "example-go"), "."], GO, environ)
        assert built.returncode == 0, built.stderr
    return environ


@contextlib.contextmanager
def _one_at_a_time(name: str) -> Iterator[None]:
    """Other workers wait, and find it done."""
    BUILD.mkdir(exist_ok=True)
    with one_at_a_time(BUILD / f"{name}.lock"):
        yield


def _fetch(what: str, command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> None:
    """Run what needs a registry, thrice at most: where it cannot be reached, the test is skipped, and that is told.

    A registry that is away is nobody's mistake, and no package of the system brings it back.
    """
    ends = time.monotonic() + _LIMIT_SECONDS
    for attempt in range(1, 4):
        done = _ran(command, folder, environ or {})
        if done.returncode == 0:
            return
        if time.monotonic() > ends:
            break
        time.sleep(attempt)
    components.lacking(what, f"{' '.join(command)}: {done.stderr.strip()[-400:]}", packaged=False)


def _ran(
    command: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=clean_environment(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired as late:
        return subprocess.CompletedProcess(command, 124, "", f"not done after {late.timeout:.0f} s")
