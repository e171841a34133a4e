"""`watchword` as a script runs it: a process, its exit code, and what it wrote."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kits.process import PROGRAM, RunningServer, clean_environment

PASSWORD = "violet kangaroo plays chess"
LIMIT_SECONDS = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one JSON document; fails if there is anything else."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The `error` object that a command with --json leaves on standard error."""
        found: dict[str, Any] = json.loads(self.err.splitlines()[-1])["error"]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """Where commands are typed: an environment. `at` one server, with a home of one's own."""

    environ: Mapping[str, str]

    @classmethod
    def at(cls, server: RunningServer, home: Path) -> "Shell":
        """For a person with the vault in `home`, and for the operator of `server`."""
        return cls(
            environ={
                "WATCHWORD_SERVER": server.origin,
                "WATCHWORD_CA": str(server.ca),
                "WATCHWORD_HOME": str(home),
                "WATCHWORD_DATA": str(server.data),
            }
        )

    def run(self, *arguments: str, stdin: str = "", **environ: str) -> Finished:
        """Run `watchword` with `arguments`; a process that hangs fails the test."""
        done = subprocess.run(
            [str(PROGRAM), *arguments],
            env=clean_environment({**self.environ, **environ}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )
        return Finished(code=done.returncode, out=done.stdout, err=done.stderr)

    def ask(self, *arguments: str, password: str = PASSWORD, **environ: str) -> Finished:
        """`run` with the password on standard input; a new password goes into a second line of it."""
        return self.run(*arguments, "--password-stdin", stdin=f"{password}\n", **environ)
