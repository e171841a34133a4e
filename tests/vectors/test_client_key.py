"""The client key Kc against its formula, computed here from HMAC and SHA-256 alone."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from watchword.core.ids import DeviceId
from watchword.core.secret import Secret
from watchword.server.devices.client_keys import ClientKeys, seed_of_verifier

VECTORS = json.loads((Path(__file__).parent / "watchword" / "client-key.json").read_text())["good"]


def hkdf_sha256(key: bytes, *, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 for one block of output: extract, then expand."""
    return hmac.digest(hmac.digest(salt, key, "sha256"), info + b"\x01", "sha256")


def by_hand(vector: dict[str, str]) -> bytes:
    info = b"watchword/v1/device/client-key\0" + bytes.fromhex(vector["seed"])
    salt = bytes.fromhex(vector["device"])
    return hkdf_sha256(bytes.fromhex(vector["generation_key"]), salt=salt, info=info)


def ours(vector: dict[str, str]) -> bytes:
    keys = {7: Secret(bytes.fromhex(vector["generation_key"]))}
    device, seed = DeviceId(bytes.fromhex(vector["device"])), bytes.fromhex(vector["seed"])
    return ClientKeys(keys.__getitem__).client_key(device, generation_version=7, seed=seed).reveal()


def name(vector: dict[str, Any]) -> str:
    return str(vector["what"])


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_req_T1_the_client_key_is_hkdf_of_generation_key_device_and_seed(vector: dict[str, str]) -> None:
    assert by_hand(vector).hex() == vector["client_key"]
    assert ours(vector).hex() == vector["client_key"]


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_req_T1_the_seed_is_a_hash_of_the_stored_verifier(vector: dict[str, str]) -> None:
    verifier = bytes.fromhex(vector["verifier"])
    assert seed_of_verifier(verifier).hex() == vector["seed"]
    assert hashlib.sha256(b"watchword/v1/client-key-seed\0" + verifier).hexdigest() == vector["seed"]


def test_req_T1_another_device_generation_key_or_seed_gives_another_client_key() -> None:
    first, *others = VECTORS
    changed = [{part for part in first if one[part] != first[part]} for one in others]
    assert changed == [
        {"what", "device", "client_key"},
        {"what", "generation_key", "client_key"},
        {"what", "verifier", "seed", "client_key"},
    ]
    assert len({ours(one) for one in VECTORS}) == len(VECTORS)
