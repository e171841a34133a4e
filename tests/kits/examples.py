"""The examples as a developer runs them, `examples/run NAME`, trusting a whole server; and tokens of every sort."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from tests.kits.ports import kept_port
from tests.kits.process import clean_environment
from tests.kits.tokens import KEY, header, payload, signed

from watchword.core.clock import MINUTE, SECOND
from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.testing.server import RunningServer

ROOT: Final = Path(__file__).parents[2]
RUN: Final = ROOT / "examples/run"
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 60
_EXPIRED: Final = -120 * SECOND
"""Longer ago than any skew that an app allows."""


@dataclass(kw_only=True)
class RunningExample:
    """`origin` is where it answers, and the audience that it takes tokens for."""

    server: RunningServer
    origin: str
    log: Path
    http: httpx.Client
    _takes: Callable[["RunningExample", str], bool]

    def token(self, *, level: int = 0, audience: str | None = None, valid_for: int = 10 * MINUTE) -> str:
        """As the server issues it to anna; `valid_for` is in milliseconds."""
        return self.server.token("anna", for_=audience or self.origin, level=level, valid_for=valid_for)

    def get(self, path: str, token: str | None = None) -> httpx.Response:
        return self.http.get(path, headers={"Authorization": f"Bearer {token}"} if token is not None else {})

    def fetch_keys(self) -> None:
        """Have it fetch the keys that it needs, however long this machine takes for it: an app waits two seconds."""
        ends = time.monotonic() + _START_SECONDS
        while not self._takes(self, self.token()):
            assert time.monotonic() < ends, self.log.read_text()
            time.sleep(0.2)

    def bad_tokens(self) -> dict[str, str]:
        """Tokens that no app may take, by what is wrong with each. All but the last few are of the real issuer."""
        good, key = self.token(), self.server._core.keys.signing_key
        head, body, signature = good.split(".")
        mine = payload(self.server.clock.now()) | {"iss": self.server.url, "aud": self.origin}
        assert self._takes(self, signed(header(key), mine, key=key))  # so each change below is the reason
        assert self._takes(self, signed(header(key), mine, key=key))  # so each change below is the reason
        return {
            "no token at all": "x",
            "cut": good[:-1],
            "empty": "..",
            "too long": f"{good}{'A' * 9000}",
            "changed": f"{head}.{encode_b64u(decode_b64u(body).replace(b'anna', b'nana'))}.{signature}",
            "wrong audience": self.token(audience="https://other.example"),
            "expired": self.token(valid_for=_EXPIRED),
            "a list of audiences": signed(header(key), mine | {"aud": [self.origin]}, key=key),
            "not yet good": signed(header(key), mine | {"nbf": mine["nbf"] + 300}, key=key),
            "of the future": signed(header(key), mine | {"iat": mine["iat"] + 300}, key=key),
            "never ends": signed(header(key), _without(mine, "exp"), key=key),
            "lives too long": signed(header(key), mine | {"exp": mine["iat"] + 7200}, key=key),
            "no account": signed(header(key), _without(mine, "sub"), key=key),
            "no session": signed(header(key), _without(mine, "sid"), key=key),
            "no level": signed(header(key), _without(mine, "level"), key=key),
            "a level that is text": signed(header(key), mine | {"level": "9"}, key=key),
            "a level too high": signed(header(key), mine | {"level": 10}, key=key),
            "bound": signed(header(key), mine | {"cnf": {"jkt": "A" * 43}}, key=key),
            "another type": signed(header(key) | {"typ": "JWT"}, mine, key=key),
            "no type": signed(_without(header(key), "typ"), mine, key=key),
            "a critical extension": signed(header(key) | {"crit": ["x"], "x": 1}, mine, key=key),
            "no algorithm": signed(header(key) | {"alg": "none"}, mine, key=key),
            "another algorithm": signed(header(key) | {"alg": "HS256"}, mine, key=key),
            "another issuer": signed(header(key), mine | {"iss": "https://other.example"}, key=key),
            "forged under the issuer's key id": signed(header(key), mine, key=KEY),
            "of a key that nobody published": signed(header(KEY), mine, key=KEY),
        }


def _without(members: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in members.items() if key != name}


def _healthy(example: RunningExample) -> bool:
    try:
        return bool(example.get("/health").json() == {"ok": True})
    except httpx.TransportError:
        return False


def _lets_in(example: RunningExample, token: str) -> bool:
    return example.get("/", token).status_code == 200


@contextlib.contextmanager
def running_example(
    name: str,
    server: RunningServer,
    folder: Path,
    environ: Mapping[str, str] | None = None,
    *,
    ready: Callable[[RunningExample], bool] = _healthy,
    takes: Callable[[RunningExample, str], bool] = _lets_in,
) -> Iterator[RunningExample]:
    """`examples/run NAME` until the block ends, when it is stopped as by Ctrl-C. No token may stand in its log."""
    log = folder / f"{name}.log"
    with kept_port() as port, httpx.Client(trust_env=False, timeout=30) as http:
        origin = f"http://localhost:{port}"
        http.base_url = httpx.URL(origin)
        running = RunningExample(server=server, origin=origin, log=log, http=http, _takes=takes)
        with _process(
            [str(RUN), name], example_environment(server, origin) | dict(environ or {}), log
        ) as process:
            _wait(running, process, ready)
            yield running
            # Not what Ctrl-C adds: gunicorn's workers leave in the middle of whatever they do, and tell of it.
            assert "Traceback" not in log.read_text(), log.read_text()
        assert running.token().split(".")[0] not in log.read_text()


def example_environment(server: RunningServer, origin: str) -> dict[str, str]:
    """What a developer exports before `examples/run`."""
    trust = {"WATCHWORD_ORIGIN": server.url, "WATCHWORD_CA": str(server.ca_file), "APP_ORIGIN": origin}
    return clean_environment({**trust, "PYTHONUNBUFFERED": "1"})


@contextlib.contextmanager
def _process(command: list[str], environ: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C goes to all that it started
        )
    try:
        yield process
        os.killpg(process.pid, signal.SIGINT)
        process.wait(_STOP_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_STOP_SECONDS)


def _wait(
    running: RunningExample, process: "subprocess.Popen[bytes]", ready: Callable[[RunningExample], bool]
) -> None:
    ends = time.monotonic() + _START_SECONDS
    while not ready(running):
        assert process.poll() is None, running.log.read_text()
        assert time.monotonic() < ends, running.log.read_text()
        time.sleep(0.02)
