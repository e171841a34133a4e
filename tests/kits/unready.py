"""A server process that nobody waits for: to be disturbed while it starts, or because it is not to start at all."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.kits.commands import Finished
from tests.kits.process import PROGRAM, RunningServer, clean_environment

from watchword.server.config import FIELDS

LIMIT_SECONDS = 240


def environment(data: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """What `RunningServer.start` gives its process."""
    variables = {field.key: field.variable for field in FIELDS}
    values = {"listen": "127.0.0.1:0", "log.format": "json", **(settings or {}), "data": str(data)}
    return clean_environment({variables[key]: value for key, value in values.items()})


@contextlib.contextmanager
def starting(data: Path, settings: Mapping[str, str] | None = None) -> Iterator[RunningServer]:
    """A server that is just beginning to start; killed at the end of the block if it still runs then."""
    out, log = data.with_name(f"{data.name}.out"), data.with_name(f"{data.name}.log")
    with out.open("wb") as told, log.open("wb") as logged:
        process = subprocess.Popen(
            [str(PROGRAM), "serve"],
            env=environment(data, settings),
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=logged,
        )
    server = RunningServer(data=data, process=process)
    try:
        yield server
    finally:
        server.kill()


def serve(
    data: Path,
    settings: Mapping[str, str] | None = None,
    *,
    program: tuple[str, ...] = (),
    before: Callable[[], None] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Finished:
    """Run `watchword serve` to its end, for starts that are refused. `program` stands before it, as in `nice`."""
    done = subprocess.run(
        [*program, str(PROGRAM), "serve"],
        env={**environment(data, settings), **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        preexec_fn=before,  # no threads of ours run when a test starts one
        cwd=os.sep,
    )
    return Finished(code=done.returncode, out=done.stdout, err=done.stderr)


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder of its own that everybody may pass through, as /var/lib is.

    Those of pytest are closed, and opening them is no way: tests beside this one close them again.
    """
    with tempfile.TemporaryDirectory(prefix="wwopen") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)
