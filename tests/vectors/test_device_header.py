"""The device header against its formula, computed here from HMAC and SHA-256 alone."""

import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from watchword.core.encoding import encode_b64u
from watchword.core.secret import Secret
from watchword.errors import MalformedError, SignatureError
from watchword.protocol.device_header import DeviceHeader

VECTORS = json.loads((Path(__file__).parent / "watchword" / "device-header.json").read_text())
GOOD: list[dict[str, Any]] = VECTORS["good"]


def by_hand(vector: dict[str, Any]) -> str:
    """docs/protocol/device-header.md, section 2."""
    inner = hmac.digest(bytes(32), bytes.fromhex(vector["client_key"]), "sha256")
    key = hmac.digest(inner, b"watchword/v1/device/header\0\x01", "sha256")
    nonce = encode_b64u(bytes.fromhex(vector["nonce"]))
    head = f"v=1, id={vector['device']}, t={vector['t']}, n={nonce}, s={vector['seed_version']}"
    parts = [text.encode() for text in (vector["method"], vector["path"], vector["issuer"], head)]
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return f"{head}, mac={encode_b64u(hmac.digest(key, message, 'sha256'))}"


def verify(vector: dict[str, Any], header: str) -> None:
    DeviceHeader.parse(header).verify(
        Secret(bytes.fromhex(vector["client_key"])),
        vector["method"],
        vector["path"].encode(),
        vector["issuer"],
    )


@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: str(vector["what"]))
def test_a_header_is_what_the_document_says_and_verifies(vector: dict[str, Any]) -> None:
    assert by_hand(vector) == vector["header"]
    verify(vector, vector["header"])
    header = DeviceHeader.parse(vector["header"])
    assert (str(header.device), header.at) == (vector["device"], vector["t"])
    assert (header.nonce.hex(), header.seed_version) == (vector["nonce"], vector["seed_version"])


def test_a_header_is_good_for_its_own_request_alone() -> None:
    first, *others = GOOD
    for other in others:
        with pytest.raises(SignatureError):
            verify(first, _as_first(first, other))


def _as_first(first: dict[str, Any], other: dict[str, Any]) -> str:
    """The header of `first` with the MAC of `other`."""
    return str(first["header"]).replace(_mac(first), _mac(other))


def _mac(vector: dict[str, Any]) -> str:
    return str(vector["header"]).rpartition("mac=")[2]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: str(vector["why"]))
def test_what_has_another_spelling_is_none(vector: dict[str, str]) -> None:
    with pytest.raises(MalformedError):
        DeviceHeader.parse(vector["header"])
