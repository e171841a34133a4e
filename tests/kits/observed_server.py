"""The real server, which also writes down what nobody sees from outside: its loop's lag, slow hashes, key rotation.

`start(data)` starts it as a process; the numbers stand in a file that both processes map into their memory.
"""

import asyncio
import functools
import mmap
import os
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from tests.kits.process import RunningServer

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.server.config import Config
from watchword.server.http.admission import HashPool
from watchword.server.keys.service import KeyService

FILE_VARIABLE: Final = "OBSERVED_FILE"
_NUMBERS: Final = ("lag", "hashing", "pending", "threads", "ticks", "rotating", "held")
_NUMBER: Final = struct.Struct("d")
_TICK_SECONDS: Final = 0.002
Result = TypeVar("Result")


class Numbers:
    """Each the largest since it was last set to zero; `threads` and `ticks` just count, `rotating` is 1 meanwhile.

    While a test sets `held` to 1, a rotation that was decided does not go on.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_NUMBER.size * len(_NUMBERS)))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def __getitem__(self, name: str) -> float:
        found: float = _NUMBER.unpack_from(self._map, self._place(name))[0]
        return found

    def __setitem__(self, name: str, value: float) -> None:
        _NUMBER.pack_into(self._map, self._place(name), value)

    def raise_to(self, name: str, value: float) -> None:
        self[name] = max(self[name], value)

    @staticmethod
    def _place(name: str) -> int:
        return _NUMBERS.index(name) * _NUMBER.size


def start(data: Path, *, settings: Mapping[str, str] | None = None) -> tuple[RunningServer, Numbers]:
    """The process, ready, and what it writes down."""
    data.parent.mkdir(parents=True, exist_ok=True)
    numbers = Numbers(data.with_name(f"{data.name}.observed"))
    server = RunningServer.start(
        data,
        settings=settings,
        program=(sys.executable, "-m", "tests.kits.observed_server"),
        environ={FILE_VARIABLE: str(data.with_name(f"{data.name}.observed"))},
    )
    return server, numbers


class ObservedPool(HashPool):
    """Counts the hashes that run at a time, and those that were admitted and are not done."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        super().__init__()
        self._running = 0
        self._lock = threading.Lock()
        numbers["threads"] = self._threads._max_workers

    async def run(self, work: Callable[[], Result]) -> Result:
        def counted() -> Result:
            with self._lock:
                self._running += 1
                self._numbers.raise_to("hashing", self._running)
            try:
                return work()
            finally:
                with self._lock:
                    self._running -= 1

        return await super().run(counted)

    @property
    def _pending(self) -> int:
        return self._admitted

    @_pending.setter
    def _pending(self, value: int) -> None:
        self._admitted = value
        self._numbers.raise_to("pending", value)


async def watch_the_loop(numbers: Numbers) -> None:
    """How much later than asked for the loop comes back to us: what every request would wait for."""
    while True:
        due = time.monotonic() + _TICK_SECONDS
        await asyncio.sleep(_TICK_SECONDS)
        numbers.raise_to("lag", time.monotonic() - due)
        numbers["ticks"] += 1


def watch_rotation(numbers: Numbers) -> None:
    """Of any key, from the decision until it is on the disk."""
    rotate = KeyService.rotate

    async def observed(self: KeyService, *arguments: Any, **options: Any) -> None:
        numbers["rotating"] = 1
        try:
            while numbers["held"]:
                await asyncio.sleep(_TICK_SECONDS)
            await rotate(self, *arguments, **options)
        finally:
            numbers["rotating"] = 0

    vars_of_class: Any = KeyService
    vars_of_class.rotate = observed


def main() -> None:
    from watchword.cli.main import main as run  # noqa: PLC0415  # only the server's process needs them
    from watchword.server import app, assembly  # noqa: PLC0415

    numbers = Numbers(Path(os.environ.pop(FILE_VARIABLE)))
    serve: Callable[[Config, Clock, Entropy], Any] = vars(app)["_serve"]

    async def observed(config: Config, clock: Clock, entropy: Entropy, **more: Any) -> None:
        watching = asyncio.ensure_future(watch_the_loop(numbers))
        try:
            await serve(config, clock, entropy, **more)
        finally:
            watching.cancel()

    vars(app)["_serve"] = observed
    watch_rotation(numbers)
    vars(assembly)["HashPool"] = functools.partial(ObservedPool, numbers)
    sys.argv[0] = "watchword"
    run()


if __name__ == "__main__":
    main()
