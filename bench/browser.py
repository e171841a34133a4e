"""The login page in a real Chromium: what it loads before the worker, when it paints, how long a login takes.

The server is a process of its own, the browser another; on two cores they share them, as on a small machine of a user.
A machine without Chromium says so, and has no rows.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests.kits.browser import PATIENCE_MS, chromium_path, key_hash, launch

from bench import Row
from bench.kit import PASSWORD, Server, register, running_server

LIMIT_BYTES = 60_000
LIMIT_S = 1.5
LOGINS = 7
NAME = "browserbench"


def run() -> list[Row]:
    program = chromium_path()
    if program is None:
        print("bench.browser: this machine has no Chromium; nothing is measured", file=sys.stderr)
        return []
    with running_server() as server:
        asyncio.run(register(server, [NAME]))  # before Playwright's own loop runs in this thread
        return _measured(server, program)


def _measured(server: Server, program: Path) -> list[Row]:
    with sync_playwright() as playwright:
        key = key_hash(server.origin, server.data / "ca.pem")
        browser = launch(playwright, program, [key])
        rows = [_bytes_row(browser, server), _paint_row(browser, server), *_login_rows(browser, server)]
        browser.close()
    return rows


@contextmanager
def _page(browser: Browser) -> Iterator[tuple[BrowserContext, Page]]:
    """Of somebody who was never here."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    yield context, context.new_page()
    context.close()


def _bytes_row(browser: Browser, server: Server) -> Row:
    """Heads and bodies as they cross the wire, compressed, of all but the worker."""
    with _page(browser) as (context, page):
        loaded, addresses = {}, {}
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        network.on(
            "Network.requestWillBeSent", lambda on: addresses.update({on["requestId"]: on["request"]["url"]})
        )
        network.on(
            "Network.loadingFinished", lambda on: loaded.update({on["requestId"]: on["encodedDataLength"]})
        )
        page.goto(f"{server.origin}/login", wait_until="networkidle")
        size = sum(size for request, size in loaded.items() if "/worker-" not in addresses[request])
    return {
        "name": "login page over the wire, before the worker",
        "value": size,
        "unit": "bytes",
        "limit": LIMIT_BYTES,
        "ratio": size / LIMIT_BYTES,
        "goal": f"<= {LIMIT_BYTES}",
        "holds": size <= LIMIT_BYTES,
    }


def _paint_row(browser: Browser, server: Server) -> Row:
    """By how much the first paint comes before the worker is asked for, in the worst of several visits."""
    margins = []
    for _ in range(LOGINS):
        with _page(browser) as (_, page):
            with page.expect_worker():
                page.goto(f"{server.origin}/login")
            page.wait_for_load_state("networkidle")
            margins.append(page.evaluate(_MARGIN))
    return {
        "name": "login page: first paint, before the worker is asked for",
        "value": min(margins),
        "unit": "ms",
        "limit": None,
        "ratio": None,
        "goal": "> 0 ms",
        "holds": min(margins) > 0,
    }


_MARGIN = """() => {
    const paint = performance.getEntriesByName("first-contentful-paint")[0].startTime;
    const worker = performance.getEntriesByType("resource").find((each) => each.name.includes("/worker-"));
    return worker.startTime - paint;
}"""


def _login_rows(browser: Browser, server: Server) -> list[Row]:
    """From the click to the dashboard, loaded; first on a browser that is enrolled by it, then on one that is known."""
    new, known = [], []
    for _ in range(LOGINS):
        with _page(browser) as (context, page):
            new.append(_log_in(page, server))
            context.clear_cookies()
            known.append(_log_in(page, server))
    return [
        _seconds_row("from submit to dashboard, on a new browser", statistics.median(new)),
        _seconds_row("from submit to dashboard, on a known browser", statistics.median(known)),
    ]


def _log_in(page: Page, server: Server) -> float:
    page.goto(f"{server.origin}/login", wait_until="networkidle")
    page.fill("#login-form input[name=identifier]", NAME)
    page.fill("#login-form input[name=password]", PASSWORD)
    began = time.monotonic()
    page.click("#login-form button[type=submit]")
    page.wait_for_url(f"{server.origin}/dashboard")
    return time.monotonic() - began


def _seconds_row(name: str, seconds: float) -> Row:
    return {
        "name": name,
        "value": seconds,
        "unit": "s",
        "limit": LIMIT_S,
        "ratio": seconds / LIMIT_S,
        "goal": f"<= {LIMIT_S:g} s",
        "holds": seconds <= LIMIT_S,
    }
