"""Short keys: single use, for one name, purpose and network, from this boot, for a minute."""

import hmac
from collections.abc import Callable

import pytest

from watchword.core.clock import SECOND, Instant
from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.core.secret import Secret
from watchword.crypto.aead import VersionedKey
from watchword.crypto.kdf import Label, derive
from watchword.errors import BeginAgainError, KeyUnknownError, OverloadedError, RefusedError
from watchword.protocol.envelope import Purpose
from watchword.server.sessions.boots import LIFE, OwnBoot
from watchword.server.sessions.short_keys import ShortKeys
from watchword.server.used_keys import MemoryUsedKeys
from watchword.testing import FixedClock, SeededEntropy
from watchword.testing.counts import count

pytestmark = pytest.mark.anyio

KEY = Secret(bytes(range(32)))
HERE = "192.0.2.1"
NAME = "u:anna"


def make(
    clock: FixedClock | None = None,
    *,
    seed: str = "a",
    version: int = 1,
    known: Callable[[int], Secret] | None = None,
) -> ShortKeys:
    def find(asked: int) -> Secret:
        if asked != version:
            raise KeyUnknownError
        return KEY

    entropy = SeededEntropy(seed)
    return ShortKeys(
        current=lambda: VersionedKey(version=version, key=KEY),
        find=known or find,
        boots=OwnBoot(clock or FixedClock(), entropy),
        entropy=entropy,
    )


async def issue(keys: ShortKeys, purpose: Purpose = Purpose.LOGIN) -> str:
    return await keys.issue(purpose=purpose, identifier_key=NAME, address=HERE)


async def claim(keys: ShortKeys, text: str, purpose: Purpose = Purpose.LOGIN, address: str = HERE) -> None:
    (await keys.claim(text, purpose=purpose, address=address)).check_identifier(NAME)


def forge(text: str, place: int, value: bytes) -> str:
    """Change the body and make the MAC good again: what only a holder of the data key could do."""
    body = decode_b64u(text)[:55]
    body = body[:place] + value + body[place + len(value) :]
    mac = hmac.digest(derive(KEY, Label.SHORT_KEY_MAC).reveal(), body, "sha256")
    return encode_b64u(body + mac)


async def test_fault_C20_a_key_is_good_once() -> None:
    keys = make()
    text = await issue(keys)
    await claim(keys, text)
    with pytest.raises(RefusedError) as refused:
        await claim(keys, text)
    assert refused.value.reason == "short_key_used"


async def test_fault_C20_life_is_half_open_to_the_millisecond() -> None:
    clock = FixedClock()
    keys = make(clock)
    first, second = await issue(keys), await issue(keys)
    clock.advance(LIFE - 1)
    await claim(keys, first)
    clock.advance(1)
    with pytest.raises(BeginAgainError) as expired:
        await claim(keys, second)
    assert expired.value.reason == "short_key_expired"


@pytest.mark.parametrize("jump", [-365 * 86400 * SECOND, -1, 1, 365 * 86400 * SECOND])
async def test_fault_C15_a_jump_of_the_wall_clock_neither_ends_a_key_nor_revives_one(jump: int) -> None:
    clock = FixedClock()
    keys = make(clock)
    used, unused, old = await issue(keys), await issue(keys), await issue(keys)
    await claim(keys, used)
    clock.jump(jump)
    await claim(keys, unused)
    with pytest.raises(RefusedError):
        await claim(keys, used)
    clock.advance(LIFE)
    clock.jump(-LIFE)
    with pytest.raises(BeginAgainError):
        await claim(keys, old)


async def test_fault_C20_a_key_from_the_future_is_refused() -> None:
    clock = FixedClock()
    keys = make(clock)
    text = forge(await issue(keys), 11, (clock.now() + 1).to_bytes(7, "big"))
    with pytest.raises(BeginAgainError) as refused:
        await claim(keys, text)
    assert refused.value.reason == "short_key_expired"
    clock.advance(1)
    await claim(keys, text)


@pytest.mark.parametrize("other", [Purpose.REGISTER, Purpose.PASSWORD])
async def test_fault_C20_a_key_is_for_one_purpose(other: Purpose) -> None:
    keys = make()
    text = await issue(keys)
    with pytest.raises(RefusedError) as refused:
        await claim(keys, text, purpose=other)
    assert refused.value.reason == "short_key_purpose"
    await claim(keys, text)  # the wrong endpoint did not use it up


async def test_fault_C20_a_key_is_for_one_name() -> None:
    keys = make()
    claimed = await keys.claim(await issue(keys), purpose=Purpose.LOGIN, address=HERE)
    for other in ("u:bert", "e:anna", "u:Anna", ""):
        with pytest.raises(RefusedError) as refused:
            claimed.check_identifier(other)
        assert refused.value.reason == "short_key_identifier"


@pytest.mark.parametrize(
    ("issued_to", "shown_by", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8:0:0:1::1", "2001:db8:0:0:2::1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("192.0.2.1", "2001:db8::1", False),
        ("", "", True),
    ],
)
async def test_fault_C20_a_key_is_for_one_network(issued_to: str, shown_by: str, *, same: bool) -> None:
    keys = make()
    text = await keys.issue(purpose=Purpose.LOGIN, identifier_key=NAME, address=issued_to)
    if same:
        await claim(keys, text, address=shown_by)
    else:
        with pytest.raises(BeginAgainError) as refused:
            await claim(keys, text, address=shown_by)
        assert refused.value.reason == "short_key_network"


async def test_fault_C20_a_key_of_another_boot_or_key_version_is_expired_and_not_forged() -> None:
    clock = FixedClock()
    text = await issue(make(clock, seed="earlier boot"))
    with pytest.raises(BeginAgainError) as boot:
        await claim(make(clock, seed="this boot"), text)
    with pytest.raises(BeginAgainError) as version:
        await claim(make(clock, version=2), text)
    assert (boot.value.reason, version.value.reason) == ("short_key_boot", "short_key_key_id")


async def test_fault_C20_every_changed_bit_is_forged() -> None:
    keys = make()
    raw = decode_b64u(await issue(keys))
    for bit in range(0, len(raw) * 8, count(3, 1)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((RefusedError, BeginAgainError)) as refused:
            await claim(keys, encode_b64u(bytes(changed)))
        expected = {0: "short_key_malformed", 1: "short_key_key_id", 2: "short_key_key_id"}
        reason = getattr(refused.value, "reason", "")
        assert reason == expected.get(bit // 8, "short_key_forged")
    await claim(keys, encode_b64u(raw))


@pytest.mark.parametrize(
    "text", ["", "A", "A" * 115, "A" * 117, "A" * 116, "é" * 116, "=" * 116, "A" * 100_000]
)
async def test_fault_C20_what_was_never_issued_is_refused(text: str) -> None:
    with pytest.raises((RefusedError, BeginAgainError)):
        await claim(make(), text)


async def test_a_key_has_116_characters_whatever_it_is_for() -> None:
    keys = make()
    texts = {
        await keys.issue(purpose=purpose, identifier_key=name, address=address)
        for purpose in (Purpose.LOGIN, Purpose.REGISTER, Purpose.PASSWORD)
        for name in ("u:a", "e:" + "x" * 250)
        for address in (HERE, "2001:db8::1")
    }
    assert {len(text) for text in texts} == {116}
    assert len(texts) == 12


async def test_two_keys_for_the_same_caller_differ() -> None:
    keys = make()
    assert len({await issue(keys) for _ in range(1000)}) == 1000


async def test_fault_C20_a_full_memory_fails_closed_and_empties_by_itself() -> None:
    used = MemoryUsedKeys(limit=3)
    now = FixedClock().now()
    for number in range(3):
        assert await used.claim(bytes((number,)), expires_at=Instant(now + LIFE), now=now)
    with pytest.raises(OverloadedError):
        await used.claim(b"fourth", expires_at=Instant(now + LIFE), now=now)
    assert not await used.claim(b"\0", expires_at=Instant(now + LIFE), now=now)
    assert await used.claim(b"fourth", expires_at=Instant(now + 2 * LIFE), now=Instant(now + LIFE))


async def test_used_keys_are_remembered_for_as_long_as_they_could_be_shown_again() -> None:
    """A key that ends early stands behind one that ends late: it is kept for longer, never for less."""
    used = MemoryUsedKeys()
    now = FixedClock().now()
    await used.claim(b"late", expires_at=Instant(now + 60), now=now)
    await used.claim(b"early", expires_at=Instant(now + 10), now=now)
    assert not await used.claim(b"early", expires_at=Instant(now + 10), now=Instant(now + 9))
    assert not await used.claim(b"late", expires_at=Instant(now + 60), now=Instant(now + 59))
