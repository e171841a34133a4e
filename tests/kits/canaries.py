"""Secrets that were really used, and a search for them in any form somebody may have written them down in."""

import base64
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest

from watchword.client.flows import account
from watchword.protocol.wire import encode_message

_SECRET_FIELDS = ("login_secret", "recovery_secret", "reply_key", "credential")
_SHORTEST = 12
"""Bytes: what is shorter is found by chance."""


def forms(secret: bytes) -> set[bytes]:
    """As it is, and as hex, base64 and base64url; without the last signs, which depend on what follows."""
    whole = base64.b64encode(secret)
    cut = whole[: len(secret) // 3 * 4]
    return {secret, secret.hex().encode(), secret.hex().upper().encode(), cut, cut.translate(_URL)}


_URL = bytes.maketrans(b"+/", b"-_")


@dataclass
class Canaries:
    """By name, the secrets in bytes."""

    found: dict[str, set[bytes]] = field(default_factory=dict)

    def add(self, name: str, *secrets: bytes | str) -> None:
        for secret in secrets:
            raw = secret.encode() if isinstance(secret, str) else secret
            assert len(raw) >= _SHORTEST, name
            self.found.setdefault(name, set()).add(raw)

    def add_text(self, name: str, *texts: str) -> None:
        """Base64url texts: both as text and as the bytes they stand for."""
        for text in texts:
            self.add(name, text)
            self.add(name, base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))

    def hits(self, where: bytes, *, but: tuple[str, ...] = ()) -> list[str]:
        """The names of all secrets that lie in `where`."""
        return sorted(
            name
            for name, secrets in self.found.items()
            if name not in but and any(form in where for secret in secrets for form in forms(secret))
        )


def record_payloads(patch: pytest.MonkeyPatch, canaries: Canaries) -> None:
    """Note the secret fields of whatever this process seals for a server."""
    honest = encode_message

    def encode(message: Any) -> bytes:
        for holder in (message, *getattr(message, "logins", ())):
            for name in _SECRET_FIELDS:
                if text := getattr(holder, name, None):
                    canaries.add(name.replace("_", " "), text)
        return honest(message)

    patch.setattr(account, "encode_message", encode)


@dataclass
class ProcessWatch:
    """Reads what the system shows of every process that descends from this one, while the block runs."""

    seen: set[bytes] = field(default_factory=set)
    names: set[bytes] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def text(self) -> bytes:
        return b"\n".join(self.seen)

    def _watch(self) -> None:
        while not self._over.is_set():
            for process in _descendants(Path("/proc/self")):
                try:
                    command = (process / "cmdline").read_bytes()
                    self.seen |= {command, (process / "environ").read_bytes()}
                except OSError:
                    continue
                self.names.add(command)
            time.sleep(0.02)


def _descendants(process: Path) -> Iterator[Path]:
    """As the kernel lists them, without a look at every other process of the machine."""
    for thread in _entries(process / "task"):
        try:
            children = (thread / "children").read_text().split()
        except OSError:
            continue  # it has ended
        for pid in children:
            child = Path("/proc", pid)
            yield child
            yield from _descendants(child)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []  # its process has ended


def secret_texts(message: msgspec.Struct) -> list[str]:
    """The tokens and keys in a grant."""
    return [getattr(message, name) for name in ("sign_in_token", "access_token", "client_key")]
