"""What the modules of the pages made one day, opened by Python alone: an account made in a browser stays openable."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tests.kits.made_in_browser import (
    check_account,
    check_device,
    check_exchanges,
    check_renewed,
    contents_of,
)

from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.errors import UnsealError
from watchword.protocol.chest import RecoveryKey

VECTORS = json.loads((Path(__file__).parent / "watchword/made_in_browser.json").read_text(encoding="utf-8"))
ASKED, MADE = VECTORS["asked"], VECTORS["made"]
SERVER = SealingPrivateKey.from_seed(Suite.HYBRID, Secret(bytes.fromhex(VECTORS["server_seed"])))


def test_every_purpose_opens_and_its_device_is_proved() -> None:
    check_exchanges(MADE["exchanges"], ASKED, SERVER)


def test_the_keys_of_a_device_are_the_keys_of_their_seeds() -> None:
    check_device(MADE["device"])


def test_a_new_account_opens_with_both_identifiers_and_the_recovery_key() -> None:
    chest = check_account(MADE["account"], ASKED["password"], RecoveryKey.parse(MADE["recovery_key"]))
    assert contents_of(chest) == MADE["chest"]


def test_a_chest_that_a_browser_renewed_opens() -> None:
    check_renewed(MADE["renewed"], ASKED)


def test_these_checks_would_see_another_key_or_a_changed_envelope() -> None:
    other = SealingPrivateKey.from_seed(Suite.HYBRID, Secret(bytes(32)))
    with pytest.raises(UnsealError):
        check_exchanges(MADE["exchanges"], ASKED, other)
    changed: list[dict[str, Any]] = copy.deepcopy(MADE["exchanges"])
    changed[0]["envelope"] = changed[0]["envelope"][:-8] + "AAAAAAAA"
    with pytest.raises(AssertionError):
        check_exchanges(changed, ASKED, SERVER)
