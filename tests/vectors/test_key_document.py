"""`watchword/key-document.json`: what a client in any language must accept and refuse, and at which step."""

import json
from pathlib import Path
from typing import Any

import pytest

from watchword.core.clock import Instant
from watchword.core.encoding import encode_b64u
from watchword.errors import MalformedError, NotTrustedError, SignatureError, TooLargeError
from watchword.protocol.keydocument import KeyDocument, verify_key_document

VECTORS = json.loads((Path(__file__).parent / "watchword" / "key-document.json").read_text())
RAISED = {
    1: TooLargeError,
    2: MalformedError,
    3: NotTrustedError,
    4: NotTrustedError,
    5: SignatureError,
    6: MalformedError,
    7: NotTrustedError,
    8: NotTrustedError,
}


def _verify(entry: dict[str, Any]) -> KeyDocument:
    return verify_key_document(
        entry["document"],
        pin=bytes.fromhex(VECTORS["pin"]),
        now=Instant(entry.get("now", VECTORS["now"])),
        at_least=entry.get("at_least", VECTORS["at_least"]),
    )


@pytest.mark.parametrize("entry", VECTORS["good"], ids=lambda entry: entry["what"])
def test_a_good_document_says_what_the_file_says(entry):
    found, payload = _verify(entry), entry["payload"]
    assert (found.issuer, found.number, found.min_version) == (payload["iss"], payload["number"], 1)
    assert [found.issued_at, found.expires_at] == [payload["issued_at"] * 1000, payload["expires_at"] * 1000]
    assert [key.to_jwk() for key in found.signing] == payload["jwks"]["keys"]
    sealing = [
        {
            "kid": key.kid,
            "suite": key.key.suite.value,
            "public": encode_b64u(key.key.to_bytes()),
            "state": "current" if key.is_current else "retiring",
        }
        for key in found.sealing
    ]
    assert sealing == payload["sealing"]


@pytest.mark.parametrize("entry", VECTORS["bad"], ids=lambda entry: f"{entry['step']} {entry['why']}")
def test_a_bad_document_is_refused_at_its_step(entry):
    with pytest.raises(RAISED[entry["step"]]):
        _verify(entry)


def test_every_step_has_a_vector():
    assert {entry["step"] for entry in VECTORS["bad"]} == set(range(1, 9))
