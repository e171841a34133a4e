"""For tests of tokens: an issuer that can sign anything, a real server of key sets, and a way to call an ASGI app."""

import asyncio
import contextlib
import dataclasses
import http.server
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from watchword.core.clock import Instant, SystemClock
from watchword.core.encoding import encode_b64u, encode_json
from watchword.core.entropy import SystemEntropy
from watchword.core.ids import AccountId, DeviceId, SessionId
from watchword.crypto.authority import Authority
from watchword.crypto.signing import TokenSigningKey
from watchword.protocol.tokens import AccessClaims, issue_access_token
from watchword.testing import FixedClock, SeededEntropy

ISSUER = "https://id.example"
AUDIENCE = "https://app.example"
KEY = TokenSigningKey.generate()
NOW = FixedClock().now()
SECONDS = NOW // 1000
WELL_KNOWN = "/.well-known/jwks.json"


def claims(now: int = NOW, **changes: Any) -> AccessClaims:
    """Claims of a good token of 10 minutes, with the changes."""
    seconds, entropy, at = now // 1000, SeededEntropy("claims"), Instant(now)
    good = AccessClaims(
        iss=ISSUER,
        sub=str(AccountId.new(at, entropy)),
        aud=AUDIENCE,
        exp=seconds + 600,
        iat=seconds,
        nbf=seconds,
        jti="t" * 22,
        sid=str(SessionId.new(at, entropy)),
        device=str(DeviceId.new(at, entropy)),
        level=1,
        scope=("notes.read", "notes.write"),
        auth_time=seconds - 60,
        amr=("pwd",),
        preferred_username="alice",
    )
    return dataclasses.replace(good, **changes)


def token(now: int = NOW, *, key: TokenSigningKey = KEY, **changes: Any) -> str:
    return issue_access_token(claims(now, **changes), key)


def payload(now: int = NOW) -> dict[str, Any]:
    """The members of a good token's payload, to be changed at will."""
    made = {name: value for name, value in dataclasses.asdict(claims(now)).items() if value is not None}
    return made | {"scope": " ".join(made["scope"]), "amr": list(made["amr"])}


def header(key: TokenSigningKey = KEY) -> dict[str, Any]:
    return {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}


def signed(
    head: Mapping[str, Any] | bytes | None = None,
    body: Mapping[str, Any] | bytes | None = None,
    *,
    key: TokenSigningKey = KEY,
) -> str:
    """A JWS with a good signature over whatever header and payload (objects, or their exact bytes)."""
    parts = [header(key) if head is None else head, payload() if body is None else body]
    message = ".".join(encode_b64u(part if isinstance(part, bytes) else encode_json(part)) for part in parts)
    return f"{message}.{encode_b64u(key.sign(message.encode()))}"


def key_set(*keys: TokenSigningKey) -> bytes:
    return encode_json({"keys": [key.public.to_jwk() for key in keys]})


class KeyServer:
    """A real HTTP or HTTPS server on loopback that gives a key set, and counts; each attribute may be changed."""

    def __init__(self, body: bytes, *, cert_file: Path | None = None) -> None:
        self.body = body
        self.status = 200
        self.headers: dict[str, str] = {"Cache-Control": "max-age=300"}
        self.etag: str | None = None
        self.delay = 0.0
        self.gate = threading.Event()
        """While it is not set, nobody gets an answer."""
        self.gate.set()
        self.drip = False
        self.requests: list[str] = []
        self.conditional: list[str | None] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.tls = cert_file is not None
        if cert_file is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert_file)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def origin(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take it down; connections are refused from here on."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                outer.conditional.append(self.headers.get("If-None-Match"))
                time.sleep(outer.delay)
                outer.gate.wait(60)
                fresh = outer.etag is not None and self.headers.get("If-None-Match") == outer.etag
                self.send_response(304 if fresh else outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                if outer.etag is not None:
                    self.send_header("ETag", outer.etag)
                body = b"" if fresh else outer.body
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # the client may have heard enough
                    for piece in [body[i : i + 1] for i in range(len(body))] if outer.drip else [body]:
                        self.wfile.write(piece)
                        time.sleep(0.1 if outer.drip else 0)

            def handle_one_request(self) -> None:
                with contextlib.suppress(OSError):  # a refused handshake is the client's affair
                    super().handle_one_request()

            def finish(self) -> None:
                with contextlib.suppress(OSError):
                    super().finish()

            def log_message(self, *_: object) -> None:
                return None

        return Handler


def settings(server: KeyServer, **more: Any) -> dict[str, Any]:
    """What each face is given to trust this server's tokens, as of the fixed time."""
    return {"issuer": server.origin, "audience": AUDIENCE, "bearer_ok": True, "clock": FixedClock()} | more


def make_authority(folder: Path) -> tuple[Path, Path]:
    """A certificate authority's root (PEM), and chain and key of a certificate for localhost, in files."""
    now = SystemClock().now()
    authority = Authority.create(now, SystemEntropy())
    issued = authority.issue_server(["localhost", "127.0.0.1"], now)
    root, server = folder / "ca.pem", folder / "server.pem"
    root.write_bytes(authority.root.chain_pem())
    server.write_bytes(issued.chain_pem() + issued.key_pem().reveal())
    return root, server


@dataclasses.dataclass(slots=True)
class Answer:
    """What an ASGI application sent."""

    messages: list[dict[str, Any]]

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    def header(self, name: str) -> str | None:
        found = [value.decode() for key, value in self.messages[0].get("headers", ()) if key.decode() == name]
        assert len(found) <= 1
        return found[0] if found else None


def http_scope(
    path: str = "/", headers: list[tuple[bytes, bytes]] | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": b"",
        "root_path": "",
        "headers": headers or [],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    } | more


async def call(app: Any, scope: dict[str, Any], *received: dict[str, Any]) -> Answer:
    """Run one connection through an ASGI application."""
    sent: list[dict[str, Any]] = []
    incoming: Iterator[dict[str, Any]] = iter(
        received or ({"type": "http.request", "body": b"", "more_body": False},)
    )

    async def receive() -> dict[str, Any]:
        message = next(incoming, None)
        if message is None:
            await asyncio.Event().wait()  # as a server whose client says no more
        return message or {}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await app(scope, receive, send)
    return Answer(sent)


def bearer(text: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"app.example"), (b"authorization", b"Bearer " + text.encode("latin-1", "replace"))]
