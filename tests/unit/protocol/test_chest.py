"""The chest: opens with the right half of the right password, or with the recovery key, and tells damage from error."""

import msgspec
import pytest

from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.crypto.jwe import encode_jwe
from watchword.errors import DamagedError, MalformedError, UnsealError
from watchword.protocol.chest import (
    Chest,
    RecoveryKey,
    new_chest_key,
    open_chest,
    recover_chest,
    wrap_chest_key,
)
from watchword.protocol.messages import ChestBody, WrappedChest
from watchword.server.accounts.splits import check_chest
from watchword.testing import SeededEntropy

ENTROPY = SeededEntropy("chest")
RECOVERY = RecoveryKey.generate(ENTROPY)
WRAPPING = Secret(ENTROPY.bytes(32))


def make() -> tuple[Chest, ChestBody, WrappedChest]:
    chest, key = Chest.create(RECOVERY, ENTROPY), new_chest_key(ENTROPY)
    body = chest.seal(key, ENTROPY)
    wrapped = wrap_chest_key(key, WRAPPING, kind="username", entropy=ENTROPY)
    return chest, body, WrappedChest(version=body.version, sealed=body.sealed, wrapped_key=wrapped)


def parts(chest: Chest) -> tuple[object, ...]:
    archive = [(number, key.seed().reveal()) for number, key in chest.archive]
    return chest.version, chest.identity.seed().reveal(), archive, chest.recovery_key.to_bytes()


def test_it_opens_with_the_wrapping_key_and_with_the_recovery_key() -> None:
    chest, body, wrapped = make()
    assert parts(open_chest(wrapped, WRAPPING, kind="username")) == parts(chest)
    recovered = recover_chest(body.version, body.sealed, body.recovery_wrapped, RECOVERY)
    assert parts(recovered) == parts(chest)


def test_its_public_halves_are_those_inside() -> None:
    chest, body, _ = make()
    check_chest(body)
    assert body.identity_key == encode_b64u(chest.identity.public.to_bytes())
    assert body.archive_key == encode_b64u(chest.archive[0][1].public.to_bytes())
    assert body.recovery_key == encode_b64u(RECOVERY.sealing_key().public.to_bytes())


def test_another_password_kind_version_or_recovery_key_does_not_open_it() -> None:
    _, body, wrapped = make()
    with pytest.raises(UnsealError):
        open_chest(wrapped, Secret(bytes(32)), kind="username")
    with pytest.raises(UnsealError):
        open_chest(wrapped, WRAPPING, kind="email")
    with pytest.raises(UnsealError):
        open_chest(msgspec.structs.replace(wrapped, version=2), WRAPPING, kind="username")
    with pytest.raises(UnsealError):
        recover_chest(body.version, body.sealed, body.recovery_wrapped, RecoveryKey.generate(ENTROPY))


def test_one_chest_does_not_open_with_the_key_of_another() -> None:
    _, _, first = make()
    _, _, second = make()
    with pytest.raises(UnsealError):
        open_chest(msgspec.structs.replace(first, sealed=second.sealed), WRAPPING, kind="username")


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"{}",
        b'{"identity":"AA","archive":[],"recovery_key":""}',
        b'{"identity":"AA","archive":[],"recovery_key":"","more":1}',
        b"\xff",
    ],
)
def test_what_opens_and_does_not_parse_is_damage(contents: bytes) -> None:
    key = new_chest_key(ENTROPY)
    sealed = encode_jwe(contents, key, kid="1", typ="watchword-chest+jwe", entropy=ENTROPY)
    wrapped = wrap_chest_key(key, WRAPPING, kind="username", entropy=ENTROPY)
    with pytest.raises(DamagedError):
        open_chest(WrappedChest(version=1, sealed=sealed, wrapped_key=wrapped), WRAPPING, kind="username")


def test_a_renewed_chest_keeps_what_older_messages_need() -> None:
    chest, _, _ = make()
    renewed = chest.renewed(ENTROPY).renewed(ENTROPY)
    assert renewed.version == 3
    assert [number for number, _ in renewed.archive] == [3, 2, 1]
    assert renewed.archive[-1][1].seed() == chest.archive[0][1].seed()
    assert renewed.identity.seed() == chest.identity.seed()
    assert renewed.recovery_key == chest.recovery_key


def test_a_server_cannot_have_the_next_chest_key_wrapped_to_itself() -> None:
    """What the server says of the recovery key is not even given to the opening: only what is sealed inside counts."""
    _, _, wrapped = make()
    servers = SealingPrivateKey.generate(Suite.HYBRID, ENTROPY)
    renewed = open_chest(wrapped, WRAPPING, kind="username").renewed(ENTROPY)
    body = renewed.seal(new_chest_key(ENTROPY), ENTROPY)
    with pytest.raises(UnsealError):
        servers.open(decode_b64u(body.recovery_wrapped), info=b"watchword/v1/chest-recovery\0")
    recovered = recover_chest(body.version, body.sealed, body.recovery_wrapped, RECOVERY)
    assert parts(recovered) == parts(renewed)


def test_a_recovery_key_is_read_as_people_copy_it() -> None:
    text = RECOVERY.text()
    assert len(text) == 39
    assert text.count("-") == 7
    for spelling in (text, text.lower(), text.replace("-", ""), text.replace("-", " "), f"  {text}\n"):
        assert RecoveryKey.parse(spelling).value == RECOVERY.value
    digits = RecoveryKey(Secret(b"\0" * 19 + b"\x21"))
    assert digits.text().endswith("11")
    for typed in ("I", "l", "L", "i"):
        assert RecoveryKey.parse(digits.text()[:-1] + typed).value == digits.value
    assert RecoveryKey.parse(digits.text().replace("0", "o")).value == digits.value


@pytest.mark.parametrize("text", ["", "A" * 31, "A" * 33, "U" * 32, "A" * 31 + "!", "é" * 32, "１" * 32])
def test_what_is_no_recovery_key_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError):
        RecoveryKey.parse(text)


def test_the_half_for_the_server_does_not_give_the_other() -> None:
    assert RECOVERY.secret() != RECOVERY.sealing_key().seed()
    assert "Secret" in repr(RECOVERY)
    assert RECOVERY.text() not in repr(RECOVERY)


@pytest.mark.parametrize(
    "change",
    [
        {"identity_key": encode_b64u(bytes(32))},
        {"identity_key": "AA"},
        {"archive_key": encode_b64u(bytes(1216))},
        {"recovery_key": encode_b64u(bytes(32))},
        {"recovery_wrapped": "A" * 4000},
        {"recovery_wrapped": "!"},
    ],
)
def test_the_server_takes_no_chest_whose_public_halves_are_no_keys(change: dict[str, str]) -> None:
    _, body, _ = make()
    with pytest.raises(MalformedError):
        check_chest(msgspec.structs.replace(body, **change))
