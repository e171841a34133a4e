"""The rig sees what no page may do: a test in which nothing was noted says something."""

from collections.abc import Iterator

import pytest
from tests.kits.axe import findings
from tests.kits.neighbour import NO_ICON, neighbour
from tests.kits.stage import Stage, Visit

from watchword.testing.server import RunningServer, running_server

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; worker-src 'self'; "
    "style-src 'self'; require-trusted-types-for 'script'; trusted-types watchword"
)
HEAD = f"<!doctype html><html lang=en><meta charset=utf-8><title>Planted</title>{NO_ICON}"
FILES = {
    "/quiet": f"{HEAD}<h1>Nothing</h1>",
    "/unlabelled": f"""{HEAD}<link rel=stylesheet href=/pale.css>
        <main><h1>Form</h1><p>Pale</p><form><input></form></main>""",
    "/pale.css": "p { color: #ddd; background: #fff }",
    "/right": f"{HEAD}<main><h1>Form</h1><form><label>Name <input></label></form></main>",
    "/inline": f"{HEAD}<script>document.title = 'run'</script>",
    "/elsewhere": f"{HEAD}<script type=module src=/elsewhere.js></script>",
    "/elsewhere.js": "location.assign('https://elsewhere.example/')",
    "/throws": f"{HEAD}<script type=module src=/throws.js></script>",
    "/throws.js": "throw new Error('planted')",
    "/warns": f"{HEAD}<script type=module src=/warns.js></script>",
    "/warns.js": "console.warn('planted')",
    "/absent": f"{HEAD}<script type=module src=/absent.js></script>",
    "/worker": f"{HEAD}<h1>Before</h1><script type=module src=/page.js></script>",
    "/page.js": """const policy = trustedTypes.createPolicy("watchword", {createScriptURL: (url) => url});
        const worker = new Worker(policy.createScriptURL("/worker.js"), {type: "module"});
        worker.onmessage = () => { document.querySelector("h1").textContent = "After"; };
        addEventListener("click", () => worker.postMessage(""));""",
    "/worker.js": """onmessage = async () => {
        await fetch("https://elsewhere.example/").catch(() => {});
        postMessage(""); };""",
}


@pytest.fixture
def planted() -> Iterator[str]:
    """The origin of a server with faulty pages."""
    with neighbour(FILES, POLICY) as origin:
        yield origin


@pytest.mark.parametrize(
    ("path", "noted"),
    [
        ("/inline", "policy violated: script-src-elem inline"),
        ("/throws", "exception: planted"),
        ("/warns", "console warning: planted"),
        ("/absent", "status of 404"),
        ("/elsewhere", "request to another origin: https://elsewhere.example/"),
    ],
)
def test_what_no_page_may_do_is_noted(planted: str, visit: Visit, path: str, noted: str) -> None:
    visitor = visit()
    visitor.origin = planted
    visitor.open(path)
    visitor.eventually(lambda: any(noted in each for each in visitor.problems()))
    with pytest.raises(AssertionError, match="no page may do"):
        visitor.check()
    visitor.allow("")


def test_a_worker_that_violates_the_policy_is_noted(planted: str, visit: Visit) -> None:
    visitor = visit()
    visitor.origin = planted
    visitor.open("/worker")
    visitor.eventually(lambda: bool(visitor.page.workers))
    visitor.eventually(lambda: visitor.page.workers[0].evaluate("Boolean(self.watched)"))
    visitor.page.mouse.click(10, 10)
    visitor.eventually(lambda: visitor.page.inner_text("h1") == "After")
    visitor.eventually(lambda: any("policy violated: connect-src" in each for each in visitor.problems()))
    visitor.allow("policy violated: connect-src")


def test_a_quiet_page_leaves_nothing_to_note(planted: str, visit: Visit) -> None:
    visitor = visit()
    visitor.origin = planted
    visitor.open("/quiet")
    assert visitor.problems() == []
    assert [sent.url for sent in visitor.sent if sent.kind == "document"] == [f"{planted}/quiet"]


def test_a_server_that_nobody_vouched_for_is_not_trusted(
    visit: Visit, server: RunningServer, stage: Stage
) -> None:
    with running_server() as stranger:
        visitor = visit(stranger)
        with pytest.raises(Exception, match="ERR_CERT_AUTHORITY_INVALID"):
            visitor.open("/health/live")
        visitor.allow("ERR_CERT_AUTHORITY_INVALID")
    assert visit().open("/health/live").status == 200


def test_axe_finds_what_a_screen_reader_would_stumble_over(planted: str, visit: Visit) -> None:
    visitor = visit()
    visitor.origin = planted
    visitor.open("/unlabelled")
    found = findings(visitor.page)
    assert any(each.startswith("critical: label") for each in found)
    assert any(each.startswith("serious: color-contrast") for each in found)
    visitor.open("/right")
    assert findings(visitor.page) == []
