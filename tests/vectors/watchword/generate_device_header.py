"""Write `device-header.json` anew, always the same: `python -m tests.vectors.watchword.generate_device_header`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from watchword.core.clock import Instant
from watchword.core.encoding import encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.ids import DeviceId
from watchword.core.secret import Secret
from watchword.protocol.device_header import HeaderKey

TARGET: Final = Path(__file__).with_name("device-header.json")
DEVICE: Final = DeviceId(bytes(range(16)))
KEY: Final = bytes(range(32))
NONCE: Final = bytes(range(100, 116))
ISSUER: Final = "https://login.example.org"
NOW: Final = 1_800_000_000_000


class _Given(Entropy):
    """Gives out what it was given."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def bytes(self, size: int) -> bytes:
        assert size == len(self._data)
        return self._data


def entry(what: str, **changes: Any) -> dict[str, Any]:
    """A header and all that it was made of; `changes` by member."""
    made = {
        "what": what,
        "client_key": KEY.hex(),
        "device": str(DEVICE),
        "seed_version": 1,
        "issuer": ISSUER,
        "method": "POST",
        "path": "/api/login",
        "t": NOW,
        "nonce": NONCE.hex(),
        **changes,
    }
    key = HeaderKey(
        device=DeviceId.parse(made["device"]),
        client_key=Secret(bytes.fromhex(made["client_key"])),
        seed_version=made["seed_version"],
        issuer=made["issuer"],
    )
    given = _Given(bytes.fromhex(made["nonce"]))
    made["header"] = key.header(made["method"], made["path"], now=Instant(made["t"]), entropy=given)
    return made


def good() -> Iterator[dict[str, Any]]:
    yield entry("a login")
    yield entry("the beginning of one", path="/api/login/begin")
    yield entry("another key", client_key=bytes(32).hex())
    yield entry("another device", device=str(DeviceId(bytes(15) + b"\x01")))
    yield entry("a later password", seed_version=312)
    yield entry("another server", issuer="https://localhost:8443")
    yield entry("another method", method="GET")
    yield entry("another time", t=NOW + 1)
    yield entry("another nonce", nonce=bytes(16).hex())


def bad() -> Iterator[dict[str, str]]:
    """None of these parses."""
    header, nonce = str(entry("")["header"]), encode_b64u(NONCE)
    changed = {
        "another version": header.replace("v=1", "v=2"),
        "members in another order": header.replace("v=1, ", "") + ", v=1",
        "no space behind a comma": header.replace(", ", ","),
        "a member more": header + ", x=1",
        "a member less": header.replace(", s=1", ""),
        "two headers in one": f"{header}, {header}",
        "upper case in the id": header.replace("dev_", "DEV_"),
        "a zero before the time": header.replace("t=", "t=0"),
        "a time before 1970": header.replace("t=", "t=-"),
        "a time of sixteen digits": header.replace(f"t={NOW}", "t=9999999999999999"),
        "no password": header.replace("s=1", "s=0"),
        "a nonce of 17 bytes": header.replace(", s=", "A, s="),
        "a spare bit in the nonce": header.replace(nonce, nonce[:-1] + chr(ord(nonce[-1]) + 1)),
        "a MAC of 31 bytes": header[:-1],
        "padding": header + "=",
        "a space behind it": header + " ",
        "a line break behind it": header + "\n",
        "nothing": "",
    }
    for why, text in changed.items():
        assert text != header, why
        yield {"why": why, "header": text}


def main() -> None:
    TARGET.write_text(json.dumps({"good": [*good()], "bad": [*bad()]}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
