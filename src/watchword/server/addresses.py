"""What an address is called: its one text form, whom it counts for, and what is kept of it.

2001:DB8:1:200::7%eth0 ──▶ 2001:db8:1:200::7 ──▶ 2001:db8:1:200::/64 ──▶ 2001:db8:1::/48
     as it came              canonical              source                 network
"""

import enum
import ipaddress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from watchword.core.secret import Secret
from watchword.crypto.kdf import Label, derive, tag
from watchword.errors import MalformedError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_CACHED: Final = 4096
_ONE_CUSTOMER: Final = 64
_ONE_SITE: Final = 48
_KEPT_V4: Final = 24
_KEPT_V6: Final = 48
"""Leading bits that a truncated address keeps."""
_TAG_SIZE: Final = 8
"""Bytes of a keyed form: a million sources share one with a chance of 1 in 30 million."""
KEYED: Final = "keyed:"
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


class KeptAddresses(enum.StrEnum):
    """What log, audit trail, sessions and traces hold of a caller's address (`privacy.addresses`)."""

    WHOLE = "whole"
    TRUNCATED = "truncated"
    KEYED = "keyed"


@lru_cache(maxsize=_CACHED)
def canonical_address(host: str) -> str:
    """The text form of RFC 5952, IPv4-mapped IPv6 folded to IPv4, scope ids dropped; empty for what is no address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""  # a Unix socket has no address
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def parse_network(text: str) -> str:
    """The canonical form of an address or a network, IPv4-mapped IPv6 folded. Raises `MalformedError`."""
    if "%" in text:
        raise MalformedError(f"“{text}” is no address or network: leave out the interface")
    try:
        network: Network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        hint = (
            "it has bits set behind its prefix"
            if "host bits" in str(error)
            else "say 192.0.2.7 or 2001:db8::/48"
        )
        raise MalformedError(f"“{text}” is no address or network: {hint}") from None
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        value = int(network.network_address) & 0xFFFF_FFFF
        network = ipaddress.IPv4Network((value, network.prefixlen - _MAPPED.prefixlen))
    return network_text(network)


def network_text(network: Network) -> str:
    """The canonical form: a network of one address is written as that."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


@lru_cache(maxsize=_CACHED)
def source_of(address: str) -> str:
    """Whom an address counts for: itself, or its network of 64 bits, all of which one customer has.

    Empty for what is no address.
    """
    found = canonical_address(address)
    return _network(found, _ONE_CUSTOMER) if ":" in found else found


@lru_cache(maxsize=_CACHED)
def source_bytes(address: str) -> bytes:
    """The source as short keys are bound to it: 4 bytes of an IPv4 address, 8 of an IPv6 one, none for none."""
    found = canonical_address(address)
    return ipaddress.ip_address(found).packed[: _ONE_CUSTOMER // 8] if found else b""


@lru_cache(maxsize=_CACHED)
def network_48(address: str) -> str:
    """The /48 of an IPv6 address, whose sources are looked at together; empty for all others."""
    found = canonical_address(address)
    return _network(found, _ONE_SITE) if ":" in found else ""


@dataclass(frozen=True, slots=True)
class AddressForm:
    """How an address is written down where it is kept. `key` is needed for the keyed form alone."""

    kept: KeptAddresses = KeptAddresses.WHOLE
    _key: Secret | None = field(default=None, repr=False)

    @classmethod
    def of(cls, kept: KeptAddresses, data_key: Secret) -> "AddressForm":
        """`data_key` must stay the same for as long as two forms are to be compared."""
        key = derive(data_key, Label.ADDRESS) if kept is KeptAddresses.KEYED else None
        return cls(kept, key)

    def show(self, address: str) -> str:
        """`address` (canonical) as it is kept; empty for none.

        "192.0.2.7", "192.0.2.0/24" or "keyed:0123456789abcdef": the last one of the source, so that one can see that
        two are the same, and not which.
        """
        if self.kept is KeptAddresses.WHOLE or not address:
            return address
        if self.kept is KeptAddresses.TRUNCATED:
            return _truncated(address)
        if self._key is None:
            raise ValueError("the keyed form needs a key")
        return _keyed(self._key, source_of(address))


WHOLE: Final = AddressForm()


@lru_cache(maxsize=_CACHED)
def _truncated(address: str) -> str:
    found = canonical_address(address)
    return _network(found, _KEPT_V6 if ":" in found else _KEPT_V4) if found else ""


def _keyed(key: Secret, source: str) -> str:
    return KEYED + tag(key, source.encode(), _TAG_SIZE).hex() if source else ""


def _network(address: str, bits: int) -> str:
    return str(ipaddress.ip_network((address, bits), strict=False))
