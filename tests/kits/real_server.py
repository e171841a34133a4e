"""A real server in a process of its own, over TLS on loopback; and a caller that measures to the microsecond.

`python -m tests.kits.real_server DATA [leak]` runs it; with `leak`, an unknown name costs a millisecond more: a timing
test that does not see that measures nothing.
"""

import contextlib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509

from watchword.client.effects import Call
from watchword.client.flows.sealed import begin, recipient_of
from watchword.core.clock import SystemClock
from watchword.core.encoding import decode_json, encode_json
from watchword.core.entropy import Entropy, SystemEntropy
from watchword.protocol.envelope import Purpose, Recipient
from watchword.protocol.keydocument import root_fingerprint, verify_key_document
from watchword.protocol.wire import encode_message
from watchword.server.accounts.model import LoginAttempt
from watchword.server.accounts.sql import SQLAccountStore
from watchword.server.guessing.model import LaneKey

LEAK_SECONDS: Final = 0.001
_START_SECONDS: Final = 60.0


class LeakyStore(SQLAccountStore):
    """Takes longer for a name that nobody has."""

    async def find_attempt(self, identifier_key: str, nobody: LaneKey) -> LoginAttempt:
        found = await super().find_attempt(identifier_key, nobody)
        if found.record is None:
            until = time.perf_counter() + LEAK_SECONDS
            while time.perf_counter() < until:
                pass
        return found


@dataclass
class Caller:
    """One keep-alive connection; each request is one write, without Nagle's delay. `source`: a loopback address."""

    port: int
    root_pem: str
    source: str = "127.0.0.1"
    entropy: Entropy = field(default_factory=SystemEntropy)
    _recipient: Recipient | None = None

    def __post_init__(self) -> None:
        plain = socket.create_connection(
            ("127.0.0.1", self.port), timeout=60, source_address=(self.source, 0)
        )
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = ssl.create_default_context(cadata=self.root_pem)
        self._socket = context.wrap_socket(plain, server_hostname="localhost")

    def close(self) -> None:
        self._socket.close()

    def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes, float]:
        """Status, body, and the seconds from the write to the last byte."""
        began = self.send(method, path, body)
        status, _, answer = self.read()
        return status, answer, time.perf_counter() - began

    def send(self, method: str, path: str, body: bytes = b"") -> float:
        """Write a request whose answer is read later; the moment before the write."""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost:{self.port}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        data = head.encode() + b"\r\n" + body
        began = time.perf_counter()
        self._socket.sendall(data)
        return began

    def read(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer."""
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        top, _, rest = answer.partition(b"\r\n\r\n")
        lines = top.decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        while len(rest) < int(headers["content-length"]):
            rest += self._more()
        return int(lines[0].split()[1]), headers, rest

    def _more(self) -> bytes:
        data = self._socket.recv(65536)
        assert data, "the server closed the connection"
        return data

    def recipient(self) -> Recipient:
        """The server's hybrid sealing key, from its signed document."""
        if self._recipient is None:
            _, body, _ = self.call("GET", "/.well-known/watchword-keys")
            pin = root_fingerprint(x509.load_pem_x509_certificate(self.root_pem.encode()))
            document = verify_key_document(body.decode(), pin=pin, now=SystemClock().now(), at_least=1)
            self._recipient = recipient_of(document)
        return self._recipient

    def short_key(self, name: str, purpose: Purpose = Purpose.LOGIN) -> str:
        flow = begin(name, purpose, to=self.recipient(), entropy=self.entropy)
        asked = next(flow)
        assert isinstance(asked, Call)
        assert asked.body is not None
        status, body, _ = self.call("POST", asked.path, encode_message(asked.body))
        assert status == 200, body
        try:
            flow.send(body)
        except StopIteration as end:
            return str(end.value.short_key)
        raise AssertionError("begin asked for more")

    def post(self, path: str, envelope: str) -> tuple[int, bytes, float]:
        return self.call("POST", path, encode_json({"envelope": envelope}))


@contextlib.contextmanager
def real_server(data: Path, *, leak: bool = False) -> Iterator[Caller]:
    """The server's process, and a caller that is connected to it."""
    command = [sys.executable, "-m", "tests.kits.real_server", str(data), *(["leak"] if leak else [])]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            port = _wait_for(data / "address", process)
            caller = Caller(port, (data / "ca.pem").read_text())
            yield caller
            caller.close()
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors.decode()[-2000:]


def _wait_for(address: Path, process: "subprocess.Popen[bytes]") -> int:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if address.exists() and (text := address.read_text()).endswith("\n"):
            return int(text.strip().rpartition(":")[2])
        time.sleep(0.02)
    raise RuntimeError("the server did not start")


def refusal_without_id(body: bytes) -> bytes:
    return body.replace(str(decode_json(body)["request_id"]).encode(), b"REQUEST")


def main(data: str, *options: str) -> None:
    from watchword.server import app, assembly  # noqa: PLC0415  # only the server's process needs them
    from watchword.server.config import load_config  # noqa: PLC0415

    if "leak" in options:
        vars(assembly)["SQLAccountStore"] = LeakyStore  # the planted leak, in this process alone
    environ = {"WATCHWORD_DATA": data, "WATCHWORD_LISTEN": "127.0.0.1:0", "WATCHWORD_LOG": "error"}
    environ["WATCHWORD_LIMITS_GUESSING"] = "false"  # hundreds of guesses at one name are what is measured
    app.run_server(load_config(environ=environ))


if __name__ == "__main__":
    main(*sys.argv[1:])
