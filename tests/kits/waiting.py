"""Waiting for what must come, on a machine that is busy: for a minute, and not a moment longer than it takes."""

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any, Final

PATIENCE_SECONDS: Final = 60


def until(true: Callable[[], Any], what: str) -> None:
    """Wait for a condition that must come true; `what` says so where it does not."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


async def until_true(true: Callable[[], Any]) -> None:
    """The same on the event loop, for what happens on it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not true():
            await asyncio.sleep(0.005)


def until_it_listens(port: int, process: "subprocess.Popen[bytes] | None" = None) -> None:
    """Wait for whoever is to listen on a port of loopback: `process`, where that one does it itself."""

    def listens() -> bool:
        assert process is None or process.poll() is None, f"it ended, and nobody listens on {port}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    until(listens, f"somebody listens on {port}")
