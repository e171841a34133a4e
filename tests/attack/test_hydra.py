"""hydra against the form for browsers without scripts, where the operator allows it.

hydra cannot choose where it comes from, so 127.0.0.1 is exempt from nothing here: it and the owner share an address.
"""

import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from tests.kits.attacker import verified
from tests.kits.commands import PASSWORD, Shell
from tests.kits.policies import FREE, GUARDED, NOBODY_EXEMPT, most_guesses
from tests.kits.process import RunningServer

from watchword.testing import components, measured
from watchword.testing.counts import count, soaking

pytestmark = pytest.mark.slow

FORM: Final = "/login:return=&identifier=^USER^&password=^PASS^:g=:S=/dashboard"
"""Without asking for the page first; who is sent to the dashboard is in. What tells success comes last."""
SETTINGS: Final = {**NOBODY_EXEMPT, "pages.password_form": "true"}
POLICIES: Final = list(GUARDED) if soaking() else ["balanced"]
"""hydra asks a server that banned it again and again: that `strict` bans at once, `test_one_address` shows as well."""
FOUND: Final = re.compile(r"login: (\S+) +password: (.+)")


def hydra(server: RunningServer, folder: Path, name: str, words: Sequence[str]) -> list[tuple[str, str]]:
    """What it found. It takes one at a time, so that the count of what got through is plain."""
    (folder / "words").write_text("".join(f"{word}\n" for word in words))
    command = [str(components.require("hydra")), "-I", "-l", name, "-P", "words", "-t", "1"]
    done = subprocess.run(
        [*command, "-s", str(server.port), "localhost", "https-post-form", FORM],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert f"{len(words)} login tries" in done.stdout, done.stdout + done.stderr
    return FOUND.findall(done.stdout)


def words(number: int) -> list[str]:
    """The password is the last of them."""
    return [*(f"no good word {each} at all" for each in range(number - 1)), PASSWORD]


def test_without_a_door_hydra_finds_the_password(tmp_path: Path, unguarded: RunningServer) -> None:
    assert Shell.at(unguarded, tmp_path / "home").ask("register", "dora").code == 0
    before = verified(unguarded)
    assert hydra(unguarded, tmp_path, "dora", words(4)) == [("dora", PASSWORD)]
    assert verified(unguarded) - before == 4


@pytest.mark.parametrize("policy", POLICIES)
def test_hydra_does_not_find_it(tmp_path: Path, policy: str) -> None:
    number = count(FREE + 1, 40)
    with RunningServer.start(tmp_path / "data", settings={**SETTINGS, **GUARDED[policy]}) as server:
        owner = Shell.at(server, tmp_path / "home")
        assert owner.ask("register", "anna").code == 0
        began = time.monotonic()
        assert hydra(server, tmp_path, "anna", words(number)) == []
        reached, lasted = verified(server), time.monotonic() - began
        measured.record(f"hydra, {number} words, {policy}", f"{reached} verified")
        assert 0 < reached <= (1 if policy == "strict" else most_guesses(lasted))
        if policy == "strict":
            banned_neighbour_logs_in(owner)


def banned_neighbour_logs_in(owner: Shell) -> None:
    """FAULTS D11, D12: whoever has a device comes in from the address that hydra came from, at the first try."""
    login = owner.ask("login", "anna")
    assert login.code == 0, login.err
