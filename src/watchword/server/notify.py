"""Telling the service manager how we are: systemd's `sd_notify` (`Type=notify-reload`), and silence elsewhere.

A datagram to the socket that NOTIFY_SOCKET names; a name that begins with "@" is one of the abstract space.
"""

import os
import socket
from collections.abc import MutableMapping
from typing import Final

from watchword.core.clock import Clock
from watchword.server.logs import get_log

VARIABLE: Final = "NOTIFY_SOCKET"
_log: Final = get_log("server")


class Notifier:
    """Says each thing at once; a manager that does not listen ends nothing."""

    def __init__(self, address: str, clock: Clock) -> None:
        self._address, self._clock = address, clock

    @classmethod
    def find(cls, environ: MutableMapping[str, str], clock: Clock) -> "Notifier":
        """The manager of this process, taken out of `environ`: no child of ours speaks for us."""
        return cls(environ.pop(VARIABLE, ""), clock)

    def ready(self) -> None:
        """Requests are served; also at the end of a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """MONOTONIC_USEC lets the manager tell this reload from an earlier one."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock.monotonic() * 1_000_000)}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.setblocking(False)
                to.sendto(os.fsencode(text), address)
        except OSError as error:
            _log.warning("server.manager_not_told", reason=error.strerror or type(error).__name__)
