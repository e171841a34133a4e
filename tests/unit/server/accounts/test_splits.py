"""Reading what a client sends of a new password: exactly one login for each identifier, and forms that we can check."""

from typing import Any

import msgspec
import pytest
from tests.kits.sealed import WRAPPED

from watchword.core.encoding import encode_b64u
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.errors import MalformedError
from watchword.protocol.chest import Chest, RecoveryKey, new_chest_key
from watchword.protocol.messages import ChestBody, LoginSplit
from watchword.server.accounts.model import LoginKind
from watchword.server.accounts.splits import check_chest, parse_splits
from watchword.testing import SeededEntropy

USERNAME, EMAIL = LoginKind.USERNAME, LoginKind.EMAIL
BOTH = frozenset({USERNAME, EMAIL})


def split(kind: str = "username", **changes: Any) -> LoginSplit:
    members = {
        "kind": kind,
        "salt": encode_b64u(kind.encode().ljust(16, b"s")),
        "stretch": {"alg": "argon2id", "memory_kib": 65536, "passes": 3, "lanes": 1},
        "login_secret": encode_b64u(kind.encode().ljust(32, b"l")),
        "wrapped_chest_key": WRAPPED,
        **changes,
    }
    return msgspec.convert(members, LoginSplit)


def test_the_parts_come_out_as_types_by_kind() -> None:
    parsed = parse_splits([split("email"), split()], kinds=BOTH)
    assert parsed.keys() == BOTH
    one = parsed[USERNAME]
    assert (one.kind, one.salt) == (USERNAME, b"usernamessssssss")
    assert one.login_secret.reveal() == b"username".ljust(32, b"l")
    assert (one.params.memory_kib, one.params.passes, one.params.lanes) == (65536, 3, 1)
    assert one.wrapped_chest_key == WRAPPED
    assert "username" + "l" * 8 not in repr(one)


@pytest.mark.parametrize(
    ("kinds", "sent"),
    [
        ({USERNAME}, []),
        ({USERNAME}, ["email"]),
        ({USERNAME}, ["username", "email"]),
        ({USERNAME}, ["username", "username"]),
        (BOTH, ["username"]),
        (BOTH, ["username", "username"]),
        (BOTH, ["username", "email", "email"]),
    ],
)
def test_there_is_exactly_one_login_for_each_identifier(kinds: set[LoginKind], sent: list[str]) -> None:
    with pytest.raises(MalformedError):
        parse_splits([split(kind) for kind in sent], kinds=frozenset(kinds))


def test_two_logins_have_two_salts() -> None:
    same = encode_b64u(bytes(16))
    with pytest.raises(MalformedError, match="salt of its own"):
        parse_splits([split(salt=same), split("email", salt=same)], kinds=BOTH)


@pytest.mark.parametrize(
    "changes",
    [
        {"salt": encode_b64u(bytes(15))},
        {"salt": encode_b64u(bytes(17))},
        {"login_secret": encode_b64u(bytes(31))},
        {"login_secret": encode_b64u(bytes(33))},
        {"login_secret": encode_b64u(bytes(32)) + "="},
        {"stretch": {"alg": "argon2id", "memory_kib": 65535, "passes": 3, "lanes": 1}},
        {"stretch": {"alg": "argon2id", "memory_kib": 65536, "passes": 2, "lanes": 1}},
        {"stretch": {"alg": "argon2id", "memory_kib": 1 << 30, "passes": 3, "lanes": 1}},
        {"wrapped_chest_key": "e30.x.y"},
        {"wrapped_chest_key": WRAPPED + "\n"},
        {"wrapped_chest_key": WRAPPED.replace("..", ".AAAA.")},
        {"wrapped_chest_key": WRAPPED[:-1]},
    ],
)
def test_a_form_that_is_not_ours_is_refused(changes: dict[str, Any]) -> None:
    parse_splits([split()], kinds=frozenset({USERNAME}))
    with pytest.raises((MalformedError, msgspec.ValidationError)):
        parse_splits([split(**changes)], kinds=frozenset({USERNAME}))


def chest(**changes: str) -> ChestBody:
    entropy = SeededEntropy("chest")
    made = Chest.create(RecoveryKey.generate(entropy), entropy).seal(new_chest_key(entropy), entropy)
    return msgspec.structs.replace(made, **changes)


def test_a_chest_of_a_client_is_taken() -> None:
    check_chest(chest())


@pytest.mark.parametrize("member", ["archive_key", "recovery_key"])
def test_chest_keys_are_hybrid_and_whole(member: str) -> None:
    classical = SealingPrivateKey.generate(Suite.X25519, SeededEntropy(1)).public.to_bytes()
    for value in (classical, bytes(1216), b"", bytes(1215)):
        with pytest.raises(MalformedError):
            check_chest(chest(**{member: encode_b64u(value)}))


@pytest.mark.parametrize(
    "changes",
    [
        {"identity_key": encode_b64u(bytes(32))},  # a point of small order
        {"identity_key": encode_b64u(bytes(31))},
        {"sealed": "open"},
        {"sealed": "<script>"},
        {"recovery_wrapped": encode_b64u(bytes(2049))},
        {"recovery_wrapped": "not base64url!"},
    ],
)
def test_a_chest_that_no_client_makes_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(MalformedError):
        check_chest(chest(**changes))
