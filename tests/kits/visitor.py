"""Somebody at a browser of their own: cookies, storage and language, one or more tabs, and all that was observed.

What a page must never do is noted as it happens: an error or warning on the console, an exception, a violation of the
policy, a request that fails or leaves the server. `check` raises unless the test declared it by `allow`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    Response,
    WebError,
    Worker,
)
from tests.kits.browser import PATIENCE_MS

from watchword.testing.server import RunningServer

COOKIE: Final = "__Host-watchword"
_VIOLATION: Final = "policy violated"
_WATCH_POLICY: Final = (
    "self.watched = true; addEventListener('securitypolicyviolation', event => console.error("
    f"'{_VIOLATION}: ' + event.effectiveDirective + ' ' + event.blockedURI))"
)
_POLL_MS: Final = 20
_LEFT: Final = "net::ERR_ABORTED"
"""A request that was under way when its page was left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as the browser sent it, whichever tab or worker it came from."""

    method: str
    url: str
    body: bytes
    kind: str


@dataclass(kw_only=True)
class Visitor:
    """`page` is the first tab. Made by the fixture `visit`, which also closes and checks.

    `origin` is that of `server`, unless a test has it look elsewhere.
    """

    server: RunningServer
    origin: str
    context: BrowserContext
    page: Page = field(init=False)
    sent: list[Sent] = field(default_factory=list)
    noted: list[str] = field(default_factory=list)
    """All that no page may do, allowed in this test or not."""
    _allowed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.on("console", self._on_console)
        self.context.on("weberror", self._on_error)
        self.context.on("request", self._on_request)
        self.context.on("requestfailed", self._on_failure)
        self.context.add_init_script(_WATCH_POLICY)
        self.page = self.tab()

    def tab(self) -> Page:
        """A further tab of the same browser."""
        page = self.context.new_page()
        page.on("worker", _watch_worker)
        return page

    def allow(self, pattern: str) -> None:
        """What is found by the regular expression `pattern` is no problem in this test."""
        self._allowed.append(pattern)

    def allow_status(self, *statuses: int) -> None:
        """Chromium writes a line to the console for every request that is refused."""
        for status in statuses:
            self.allow(f"status of {status} ")

    def problems(self) -> list[str]:
        """What was noted and not allowed."""
        return [each for each in self.noted if not any(re.search(one, each) for one in self._allowed)]

    def check(self) -> None:
        noted = self.problems()
        assert not noted, f"the browser noted what no page may do: {noted}"

    def close(self) -> None:
        self.context.close()

    # What a person does.

    def open(self, path: str) -> Response:
        """Go to a page of the server by its address; its answer, after redirects."""
        answer = self.page.goto(self.origin + path)
        assert answer is not None
        return answer

    def fill(self, **values: str) -> None:
        """Type into fields by name."""
        for name, value in values.items():
            self.input(name).fill(value)

    def press(self, button: str) -> None:
        """A button or link by what it says."""
        page = self.page
        page.get_by_role("button", name=button, exact=True).or_(
            page.get_by_role("link", name=button, exact=True)
        ).click()

    def log_in(self, identifier: str, password: str) -> None:
        """Fill and send the login form that is shown. What comes of it is the caller's to wait for."""
        self.fill(identifier=identifier, password=password)
        self.submit("login-form")

    def submit(self, form: str) -> None:
        self.page.locator(f"#{form} button[type=submit]").click()

    # What a person sees.

    def input(self, name: str) -> Locator:
        return self.page.locator(f"input[name={name}]")

    def arrives(self, path: str) -> None:
        """Wait until the page at `path` is there, whatever its query."""
        # By the browser's own events: `expect` would look again after half a second, and then after a whole one.
        self.page.wait_for_url(re.compile(f"^{re.escape(self.origin + path)}(?:\\?.*)?$"))

    def sees(self, selector: str) -> Locator:
        """Wait until it is shown."""
        found = self.page.locator(selector)
        found.wait_for()
        return found

    def eventually(self, holds: Callable[[], bool]) -> None:
        """Wait for what no element shows."""
        for _ in range(PATIENCE_MS // _POLL_MS):
            if holds():
                return
            self.page.wait_for_timeout(_POLL_MS)
        raise AssertionError("it never came to hold")

    @property
    def cookie(self) -> Mapping[str, Any] | None:
        """The session's cookie as the browser keeps it."""
        found = [each for each in self.context.cookies() if each.get("name") == COOKIE]
        return found[0] if found else None

    def take_session_of(self, other: "Visitor") -> None:
        """Have the other browser's cookie, as no page could."""
        cookie = other.cookie
        assert cookie is not None
        self.keep_session(cookie["value"])

    def keep_session(self, value: str) -> None:
        """Have a cookie of this value, with the attributes that matter here."""
        self.context.add_cookies(
            [{"name": COOKIE, "value": value, "url": self.origin, "secure": True, "httpOnly": True}]
        )

    # What is noted.

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.noted.append(f"console {message.type}: {message.text} ({message.location['url']})")

    def _on_error(self, error: WebError) -> None:
        self.noted.append(f"exception: {error.error}")

    def _on_request(self, request: Request) -> None:
        sent = Sent(
            method=request.method,
            url=request.url,
            body=request.post_data_buffer or b"",
            kind=request.resource_type,
        )
        self.sent.append(sent)
        if origin_of(sent.url) != self.origin:
            self.noted.append(f"request to another origin: {sent.url}")

    def _on_failure(self, request: Request) -> None:
        if request.failure != _LEFT:
            self.noted.append(f"request failed: {request.url}: {request.failure}")


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _watch_worker(worker: Worker) -> None:
    """From soon after its start: no script of ours can be in a worker before its own."""
    try:
        worker.evaluate(_WATCH_POLICY)
    except Error:
        return  # it has ended already, with its page
