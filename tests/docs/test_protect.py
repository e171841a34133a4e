"""The guides "protect your app in five minutes", followed as they stand, with a whole server and one account."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.kits import toolchains
from tests.kits.documented import Followed, follow
from tests.kits.ports import kept_port
from tests.kits.toolchains import ROOT

from watchword.errors import WatchwordError
from watchword.middleware import Guard
from watchword.testing.server import PASSWORD, RunningServer

PAGES = {page.stem.removeprefix("protect-"): page for page in (ROOT / "docs/howto").glob("protect-*.md")}

UNLIKE = {"go", "grpc", "node"}
"""Their logs use other words."""


def a_home(server: RunningServer, folder: Path) -> Path:
    """A home as the guides take it for granted: a checkout with a server's data, and somebody who is signed in."""
    home = folder / "home"
    checkout = home / "watchword"
    checkout.mkdir(parents=True)
    (checkout / "examples").symlink_to(ROOT / "examples")
    (checkout / "watchword-data").symlink_to(server.data)
    (home / ".config").mkdir()
    (home / ".config/watchword").symlink_to(server.account("anna").home)
    return home


def followed(page: Path, server: RunningServer, folder: Path, environ: Mapping[str, str]) -> Followed:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    base = {"PATH": path, "LANG": "C.UTF-8", "HOME": str(a_home(server, folder)), **environ}
    room = folder / "notes"
    with kept_port() as port:
        ports = {"8443": server.url.rpartition(":")[2], "8000": str(port)}
        return follow(page, room, base, replace=ports, answers={"Password of anna: ": PASSWORD})


@pytest.mark.timeout(400)  # where Go builds its own library first
@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_guide_does_what_it_says(name: str, watchword_server: RunningServer, tmp_path: Path) -> None:
    room = tmp_path / "notes"
    room.mkdir()
    environ = installed(name, room)
    done = followed(PAGES[name], watchword_server, tmp_path, environ)
    assert len(done.background) == 1
    assert "Traceback" not in done.background[0].partition("^C")[0]


@pytest.mark.parametrize(
    ("mistake", "says"),
    [
        ({"audience": "http://127.0.0.1:8000"}, "refused http: audience"),
        ({"valid_for": -120_000}, "refused http: expiry"),
        (
            {"issuer": "https://localhost:1"},
            "the keys of the issuer https://localhost:1 could not be fetched",
        ),
    ],
)
def test_the_log_says_of_the_usual_mistakes_what_the_guides_say(
    mistake: dict[str, Any], says: str, watchword_server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    audience = "http://localhost:8000"
    token = watchword_server.token("anna", for_=audience, valid_for=mistake.get("valid_for", 60_000))
    settings = {name: value for name, value in mistake.items() if name != "valid_for"}
    guard = Guard(**watchword_server.middleware_settings(audience) | settings)
    with pytest.raises(WatchwordError) as refused:
        guard.admit_blocking("/", [f"Bearer {token}"])
    guard.refuse(refused.value, kind="http", request_id=None)
    assert says in caplog.text
    shown = re.sub(r"https://\S+", "…", says)
    assert all(f"`{shown}`" in page.read_text() for name, page in PAGES.items() if name not in UNLIKE)


def installed(name: str, room: Path) -> dict[str, str]:
    """What the one step that is only shown, installing, leaves behind in `room`; and the environment for it."""
    if name == "node":
        (room / "node_modules").symlink_to(toolchains.node_packages())
    if name == "go":
        for file in ("go.mod", "go.sum"):
            (room / file).write_text((toolchains.GO / file).read_text())
        return toolchains.go_environment()
    return {}


def test_every_guide_shows_who_is_let_in_and_who_is_not() -> None:
    examples = {path.name for path in (ROOT / "examples").iterdir() if path.is_dir()}
    assert PAGES.keys() == examples
    for name, page in PAGES.items():
        text = page.read_text()
        refusals = ("UNAUTHENTICATED", "PERMISSION_DENIED") if name == "grpc" else (" 401 ", '"status":403')
        assert all(shown in text for shown in ("anna", "watchword token --for", "norun", *refusals)), name
        assert text.count("norun") == 1  # installing, and nothing else, is only shown
