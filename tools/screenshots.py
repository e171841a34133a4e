"""Pictures of every page in every state, in both themes, as a phone and a desktop show them.

    python -m tools.screenshots [--readme]

They are written to build/screenshots, to be looked at. `--readme` writes the one that the README shows instead.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Page, ViewportSize
from tests.kits import page_states as states
from tests.kits.journeys import CHANGE, DASHBOARD, register, sign_in
from tests.kits.stage import Stage, open_stage
from tests.kits.visitor import Visitor

from watchword.testing.server import RunningServer, TestAccount

ROOT: Final = Path(__file__).resolve().parents[1]
OUTPUT: Final = ROOT / "build/screenshots"
README: Final = ROOT / "docs/_static/dashboard.png"
SIZES: Final[dict[str, ViewportSize]] = {
    "phone": {"width": 360, "height": 740},
    "desktop": {"width": 1280, "height": 800},
}
MANY: Final = 7
"""Sessions besides: more than a dashboard shows unfolded."""
THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
FIREFOX: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"
PHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readme", action="store_true", help=f"write {README.relative_to(ROOT)} alone")
    readme = parser.parse_args().readme
    with open_stage() as stage:
        if readme:
            stage.thread.run(lambda: _for_readme(stage))
        else:
            ada = stage.servers.usual.register("ada", email="ada@example.org")
            stage.thread.run(lambda: _everything(stage, ada))
    return 0


def _everything(stage: Stage, ada: TestAccount) -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for name, server, state in _shown(stage):
        visitor = stage.visitor(server, reduced_motion="reduce", user_agent=FIREFOX)
        state(visitor, ada)
        _in_all_sizes(visitor, name)
        visitor.close()
    _without_scripts(stage, ada)
    _more(stage, ada)


def _shown(stage: Stage) -> Iterator[tuple[str, RunningServer, states.State]]:
    for name, state in states.USUAL.items():
        yield name, stage.servers.usual, state
    yield "register-closed", stage.servers.closed, states.registration
    yield "register-invite", stage.servers.invite, states.registration
    yield "styleguide", stage.servers.lenient, states.styleguide


def _without_scripts(stage: Stage, ada: TestAccount) -> None:
    usual, lenient = stage.servers.usual, stage.servers.lenient
    shown = (
        ("login-plain", usual, states.login),
        ("login-form", lenient, states.login),
        ("register-plain", usual, states.registration),
    )
    for name, server, state in shown:
        visitor = stage.visitor(server, java_script_enabled=False)
        state(visitor, ada)
        _in_all_sizes(visitor, name)
        visitor.close()


def _more(stage: Stage, ada: TestAccount) -> None:
    """What takes other readers, or more than one of them."""
    german = stage.visitor(locale="de-DE", user_agent=FIREFOX)
    states.login_refused(german, ada)
    _in_all_sizes(german, "login-german")
    states.dashboard(german, ada)
    _in_all_sizes(german, "dashboard-german")
    others = [stage.visitor(user_agent=PHONE) for _ in range(MANY)]
    for other in others:
        sign_in(other, ada.username)
    german.open(DASHBOARD)
    _in_all_sizes(german, "dashboard-many-german")
    plain = stage.visitor(java_script_enabled=False)
    plain.take_session_of(german)
    for name, path in (("dashboard-plain", DASHBOARD), ("password-plain", CHANGE)):
        plain.open(path)
        _in_all_sizes(plain, name)
    _close(german, plain, *others)


def _in_all_sizes(visitor: Visitor, name: str) -> None:
    for theme in THEMES:
        for size in SIZES:
            path = OUTPUT / f"{name}-{size}-{theme}.png"
            _take(visitor.page, path, theme, SIZES[size], whole=True)
    print(f"{OUTPUT.relative_to(ROOT)}/{name}-*.png")


def _for_readme(stage: Stage) -> None:
    visitor = stage.visitor(user_agent=FIREFOX)
    register(visitor, "lovelace", display_name="Ada Lovelace", email="ada@example.org")
    phone = stage.visitor(user_agent=PHONE)
    sign_in(phone, "lovelace")
    visitor.open(DASHBOARD)
    _take(visitor.page, README, "light", SIZES["desktop"], whole=False)
    _close(phone, visitor)
    print(f"{README.relative_to(ROOT)}: {README.stat().st_size:,} bytes")


def _take(
    page: Page, path: Path, theme: Literal["light", "dark"], size: ViewportSize, *, whole: bool
) -> None:
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size(size)
    page.screenshot(path=path, full_page=whole, animations="disabled", caret="hide")


def _close(*visitors: Visitor) -> None:
    for visitor in visitors:
        visitor.close()


if __name__ == "__main__":
    sys.exit(main())
