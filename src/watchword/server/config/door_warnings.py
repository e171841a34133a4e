"""What is worth a second thought of limits and bans: rules that are off, and settings that nothing comes of."""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Final

from watchword.server.bans.policy import BanPolicy
from watchword.server.config.model import BanPolicyName, Config

_WIDE: Final = {4: 8, 6: 32}
"""As many addresses as in a network of so few leading bits are a good part of the internet."""
_NUMBERS: Final = ("failures", "names", "window_s", "first_s", "longest_s", "forged_s")


def door_warnings(config: Config) -> Iterator[str]:
    if not config.is_private:
        yield from _off(config)
    yield from _allowed(config)
    yield from _without_effect(config)
    yield from _lengths(config)


def _off(config: Config) -> Iterator[str]:
    if config.bans.policy is BanPolicyName.OFF:
        yield "bans.policy = “off”: whoever attacks this server may go on for ever, until you ban them yourself"
    if not config.limits.enabled:
        yield "limits.enabled is off: anybody may ask as much as they like, and take this server from all others"


def _allowed(config: Config) -> Iterator[str]:
    found = [ip_network(text) for text in config.bans.allow]
    v4 = collapse_addresses(each for each in found if isinstance(each, IPv4Network))
    v6 = collapse_addresses(each for each in found if isinstance(each, IPv6Network))
    for version, bits, size in (
        (4, 32, sum(each.num_addresses for each in v4)),
        (6, 128, sum(each.num_addresses for each in v6)),
    ):
        length = bits + 1 - size.bit_length()  # of a network that is as large, or somewhat smaller
        if length <= _WIDE[version]:
            yield (
                f"bans.allow holds as many IPv{version} addresses as a /{length}: who attacks from there is neither"
                " banned nor limited"
            )


def _without_effect(config: Config) -> Iterator[str]:
    bans = config.bans
    given = [name for name in _NUMBERS if getattr(bans, name) is not None]
    if bans.policy is BanPolicyName.OFF and given:
        names = ", ".join(f"bans.{name}" for name in given)
        yield f"nothing comes of {names}: bans.policy = “off” bans nobody by itself"
    if bans.policy is BanPolicyName.STRICT and bans.failures is not None:
        yield (
            "bans.failures is only for requests over a limit: bans.policy = “strict” bans at the first of all other"
            " failures"
        )
    if bans.policy is BanPolicyName.STRICT and bans.names is not None:
        yield "nothing comes of bans.names: bans.policy = “strict” bans at the first one"


def _lengths(config: Config) -> Iterator[str]:
    if config.bans.policy is BanPolicyName.OFF:
        return
    policy = BanPolicy.of(config.bans)
    for name, length in (("first_s", policy.first_ms), ("forged_s", policy.forged_ms)):
        if length > policy.longest_ms:
            yield (
                f"bans.{name} ({length // 1000}) is cut to bans.longest_s ({policy.longest_ms // 1000}): no ban lasts"
                " longer than that"
            )
