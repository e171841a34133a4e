"""What axe-core finds on a page: rules of WCAG and good practice, as screen readers and keyboards meet them.

axe comes from the lock file of the pages, and is run through the debugger, so that the page's policy stays as it is.
"""

import functools
from typing import Any, Final

from playwright.sync_api import Page
from tests.kits.toolchains import web_packages

_RUN: Final = "axe.run(document, {preload: false, resultTypes: ['violations']})"


@functools.cache
def _source() -> str:
    return (web_packages() / "axe-core/axe.min.js").read_text()


def findings(page: Page) -> list[str]:
    """A line for each finding, of any weight: impact, rule, what it asks for, where. A right page has none."""
    debugger = page.context.new_cdp_session(page)
    _evaluate(debugger, _source())
    result = _evaluate(debugger, _RUN)
    debugger.detach()
    return [
        f"{each['impact']}: {each['id']}: {each['help']}: {node['target']} {node['failureSummary']}"
        for each in result["violations"]
        for node in each["nodes"]
    ]


def _evaluate(debugger: Any, expression: str) -> Any:
    done = debugger.send(
        "Runtime.evaluate", {"expression": expression, "awaitPromise": True, "returnByValue": True}
    )
    assert "exceptionDetails" not in done, done["exceptionDetails"]
    return done["result"].get("value")
