"""Real Chromium, driven by Playwright: one for each process of tests, in a thread of its own.

It trusts the servers under test by their keys, and by nothing else: each key is read over a connection that the
server's own authority vouches for. No name but `localhost` leads anywhere.
"""

import base64
import hashlib
import shutil
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from watchword.testing import components

PATIENCE_MS: Final = 60_000
"""For whatever a page is waited for. Nothing takes so long; a busy machine may."""
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_HOSTS: Final = "MAP localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
_ARGUMENTS: Final = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--no-pings",
    "--no-proxy-server",
    f"--host-resolver-rules={_HOSTS}",
)
T = TypeVar("T")


def chromium_path() -> Path | None:
    """Where Chromium is, under whichever name."""
    found = next((path for path in map(shutil.which, _NAMES) if path is not None), None)
    return None if found is None else Path(found)


def find_chromium() -> Path:
    """`chromium_path`. Skips or fails the test that asks where there is none."""
    return chromium_path() or components.require("chromium")


class BrowserThread:
    """Playwright's blocking calls keep a loop running in their thread, where no test of ours could run one."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="browser")
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    def run(self, work: Callable[[], T]) -> T:
        """What `work` gives or raises, run where Playwright may be called."""
        return self._thread.submit(work).result()

    def start(self, program: Path, trusted: Sequence[str]) -> Browser:
        """Launch Chromium. `trusted`: hashes of keys, as `key_hash` makes them."""
        return self.run(lambda: self._launch(program, trusted))

    def stop(self) -> None:
        self.run(self._end)
        self._thread.shutdown()

    def _launch(self, program: Path, trusted: Sequence[str]) -> Browser:
        self._playwright = sync_playwright().start()
        self._browser = launch(self._playwright, program, trusted)
        return self._browser

    def _end(self) -> None:
        if self._browser is not None:
            self._browser.close()
        if self._playwright is not None:
            self._playwright.stop()


def launch(playwright: Playwright, program: Path, trusted: Sequence[str]) -> Browser:
    """A Chromium that trusts servers with these keys, by `key_hash`.

    Without its sandbox, as Playwright does by default: root and many containers cannot have it, and nothing but our
    own pages is opened.
    """
    expect.set_options(timeout=PATIENCE_MS)
    keys = f"--ignore-certificate-errors-spki-list={','.join(trusted)}"
    return playwright.chromium.launch(
        executable_path=program, headless=True, args=[*_ARGUMENTS, keys], timeout=PATIENCE_MS
    )


def key_hash(origin: str, ca_file: Path) -> str:
    """What Chromium calls the key of the server at `origin`: base64 of SHA-256 of its SubjectPublicKeyInfo.

    Raises `ssl.SSLCertVerificationError` unless the certificate leads to `ca_file`.
    """
    host, port = urlsplit(origin).hostname or "", urlsplit(origin).port or 443
    context = ssl.create_default_context(cafile=str(ca_file))
    with (
        socket.create_connection((host, port), timeout=PATIENCE_MS / 1000) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        certificate = x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()
