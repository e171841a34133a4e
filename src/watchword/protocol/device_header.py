"""The device header (docs/protocol/device-header.md): a device proves itself before anything of the body is read.

    Watchword-Device: v=1, id=dev_…, t=1800000000000, n=<16 bytes>, s=3, mac=<32 bytes>

The MAC is under a key that comes of the device's client key, over method, path, issuer and the rest of the header. It
lets a request through a ban of its address and nothing more: whoever signs in still proves device and password.
"""

import hmac
import re
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import SECOND, Instant
from watchword.core.encoding import decode_b64u_sized, encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.ids import DeviceId
from watchword.core.secret import Secret
from watchword.crypto.kdf import Label, derive, mac
from watchword.errors import MalformedError, SignatureError

DEVICE_HEADER: Final = "watchword-device"
"""Names of headers are the same in every case."""
WINDOW: Final = 60 * SECOND
"""A header is good for so long before and after its time."""
NONCE_SIZE: Final = 16
_MAC_SIZE: Final = 32
_FORM: Final = re.compile(
    r"(?P<head>v=1, id=(?P<id>dev_[0-9a-z]{26}), t=(?P<t>0|[1-9][0-9]{0,14}), n=(?P<n>[A-Za-z0-9_-]{22}),"
    r" s=(?P<s>[1-9][0-9]{0,8})), mac=(?P<mac>[A-Za-z0-9_-]{43})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderKey:
    """What a device makes headers with. `seed_version` says which password its client key belongs to."""

    device: DeviceId
    client_key: Secret
    seed_version: int
    issuer: str

    def header(self, method: str, path: str, *, now: Instant, entropy: Entropy) -> str:
        """For one request, sent once: a server takes no header twice."""
        nonce = encode_b64u(entropy.bytes(NONCE_SIZE))
        head = f"v=1, id={self.device}, t={now}, n={nonce}, s={self.seed_version}"
        return f"{head}, mac={encode_b64u(_mac(self.client_key, method, path.encode(), self.issuer, head))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHeader:
    """One that parses; nothing of it is true before `verify`."""

    device: DeviceId
    at: Instant
    nonce: bytes
    seed_version: int
    head: str
    """All before the MAC, as it was sent."""
    mac: bytes

    @classmethod
    def parse(cls, text: str) -> "DeviceHeader":
        """The one spelling there is. Raises `MalformedError`."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise MalformedError("not a device header of this version")
        return cls(
            device=DeviceId.parse(found["id"]),
            at=Instant(int(found["t"])),
            nonce=decode_b64u_sized(found["n"], NONCE_SIZE),
            seed_version=int(found["s"]),
            head=found["head"],
            mac=decode_b64u_sized(found["mac"], _MAC_SIZE),
        )

    def is_fresh(self, now: Instant) -> bool:
        """Whether it was made within `WINDOW` of `now`, which is half-open at the end."""
        return -WINDOW <= now - self.at < WINDOW

    def verify(self, client_key: Secret, method: str, raw_path: bytes, issuer: str) -> None:
        """Raise `SignatureError` unless it was made for this very request, whose path has no query."""
        if not hmac.compare_digest(self.mac, _mac(client_key, method, raw_path, issuer, self.head)):
            raise SignatureError


def _mac(client_key: Secret, method: str, raw_path: bytes, issuer: str, head: str) -> bytes:
    key = derive(client_key, Label.DEVICE_HEADER)
    return mac(key, method.encode("ascii", "replace"), raw_path, issuer.encode(), head.encode())
