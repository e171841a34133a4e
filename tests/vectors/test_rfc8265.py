"""The examples of RFC 8265; see `rfc8265/README.md`."""

import json
from pathlib import Path
from typing import Any

import pytest

from watchword.protocol.names import InvalidNameError, parse_identifier, parse_username
from watchword.protocol.names.username import enforce_username
from watchword.protocol.passwords import PasswordRefusedError, prepare

EXAMPLES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "rfc8265/examples.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("example", EXAMPLES["usernames"], ids=lambda example: f"example_{example['number']}")
def test_user_names_of_rfc_8265(example: dict[str, Any]) -> None:
    assert enforce_username(example["text"]) == example["enforced"]
    if example["account"]:
        assert parse_username(example["text"]).text == example["enforced"]
    else:
        with pytest.raises(InvalidNameError):
            parse_username(example["text"])


@pytest.mark.parametrize("example", EXAMPLES["passwords"], ids=lambda example: f"example_{example['number']}")
def test_passwords_of_rfc_8265(example: dict[str, Any]) -> None:
    if example["enforced"] is None:
        with pytest.raises(PasswordRefusedError):
            prepare(example["text"])
    else:
        assert prepare(example["text"]).reveal() == example["enforced"].encode()


def test_the_sigmas_of_rfc_8265_are_one_key() -> None:
    sigmas = [example["text"] for example in EXAMPLES["usernames"] if example["number"] in {5, 6, 7}]
    assert {parse_identifier(sigma).key for sigma in sigmas} == {"u:σ"}
