"""The real server as a process of its own: started on a free port of loopback, ready when `start` returns.

What it writes goes to two files beside its data directory, so that nothing has to read along.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from watchword.server.config import FIELDS

PROGRAM: Final = Path(sys.executable).with_name("watchword")
START_SECONDS: Final = 60
STOP_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.01


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process under test: nothing of ours that this process may have, then `more`."""
    ours = ("GRPC_", "WATCHWORD_", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, **(more or {})}


@dataclass(kw_only=True)
class RunningServer:
    """`settings` are by key of the configuration (`{"registration": "invite"}`), `args` go to `watchword serve`,
    `program` stands for `watchword`, as in `strace watchword`."""

    data: Path
    process: subprocess.Popen[bytes]
    origin: str = ""
    address: str = ""

    @classmethod
    def start(
        cls,
        data: Path,
        *,
        settings: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        program: Sequence[str] = (str(PROGRAM),),
    ) -> "RunningServer":
        """Start on `data` and return once requests are served. Raises `RuntimeError` with what it said if it ends."""
        variables = {entry.key: entry.variable for entry in FIELDS}
        values = {"listen": "127.0.0.1:0", "log.format": "json", **(settings or {}), "data": str(data)}
        environment = clean_environment({variables[key]: value for key, value in values.items()})
        data.parent.mkdir(parents=True, exist_ok=True)
        with _beside(data, "out").open("wb") as out, _beside(data, "log").open("wb") as log:
            process = subprocess.Popen(
                [*program, "serve", *args],
                env={**environment, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )
        server = cls(data=data, process=process)
        server._await_ready()
        return server

    def _await_ready(self) -> None:
        for _ in range(int(START_SECONDS / _POLL_SECONDS)):
            ready = self.find_log("server.ready")
            if ready is not None and ready["origin"] in self.output():  # the banner comes last
                self.origin, self.address = ready["origin"], ready["address"]
                return
            if self.process.poll() is not None:
                break
            time.sleep(_POLL_SECONDS)
        self.kill()
        raise RuntimeError(f"the server did not start: {self.log_text()}")

    @property
    def ca(self) -> Path:
        return self.data / "ca.pem"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def output(self) -> str:
        """What it wrote to standard output so far."""
        return _beside(self.data, "out").read_text()

    def log_text(self) -> str:
        """What it wrote to standard error so far."""
        return _beside(self.data, "log").read_text(errors="replace")

    def logs(self) -> list[dict[str, Any]]:
        """The log so far, an entry each; a line that is no JSON object stands as {"text": line}."""
        lines = self.log_text().split("\n")[:-1]  # the last one may be in the making
        return [json.loads(line) if line.startswith("{") else {"text": line} for line in lines]

    def find_log(self, event: str) -> dict[str, Any] | None:
        """The newest entry of an event."""
        return next((entry for entry in reversed(self.logs()) if entry.get("event") == event), None)

    def stop(self, signal: int = signal.SIGTERM) -> int:
        """Ask it to stop and return its exit code; at once if it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"the server did not stop: {self.log_text()[-4000:]}") from None

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()


def _beside(data: Path, ending: str) -> Path:
    return data.with_name(f"{data.name}.{ending}")
