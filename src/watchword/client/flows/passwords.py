"""The password split on the client: from a password to the login secret and the wrapping key, per identifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from watchword.client.effects import Flow, stretched
from watchword.core.encoding import decode_b64u_sized, encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.passwords import SALT_SIZE, StretchParams, login_secret, wrapping_key
from watchword.protocol.chest import Chest, new_chest_key, wrap_chest_key
from watchword.protocol.messages import BeginAnswer, ChestBody, LoginSplit, StretchBody

Kind = Literal["username", "email"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchedLogin:
    """A password stretched for one identifier."""

    login_secret: Secret
    wrapping_key: Secret


def stretch_for(begun: BeginAnswer, password: Secret) -> Flow[StretchedLogin]:
    """Stretch as `begin` said, within the bounds compiled in here. Raises `MalformedError` outside them."""
    params = StretchParams(
        memory_kib=begun.stretch.memory_kib, passes=begun.stretch.passes, lanes=begun.stretch.lanes
    )
    params.check()
    salt = decode_b64u_sized(begun.salt, SALT_SIZE)
    return _halves((yield from stretched(password, salt, params)), salt, params)


def new_splits(
    password: Secret, kinds: Sequence[Kind], chest: Chest, entropy: Entropy
) -> Flow[tuple[list[LoginSplit], ChestBody]]:
    """A fresh salt and split for each identifier, and the chest sealed under a fresh key wrapped for each."""
    chest_key = new_chest_key(entropy)
    splits = []
    for kind in kinds:
        salt, params = entropy.bytes(SALT_SIZE), StretchParams()
        halves = _halves((yield from stretched(password, salt, params)), salt, params)
        splits.append(
            LoginSplit(
                kind=kind,
                salt=encode_b64u(salt),
                stretch=StretchBody(
                    alg="argon2id",
                    memory_kib=params.memory_kib,
                    passes=params.passes,
                    lanes=params.lanes,
                ),
                login_secret=encode_b64u(halves.login_secret.reveal()),
                wrapped_chest_key=wrap_chest_key(chest_key, halves.wrapping_key, kind=kind, entropy=entropy),
            )
        )
    return splits, chest.seal(chest_key, entropy)


def _halves(stretched_password: Secret, salt: bytes, params: StretchParams) -> StretchedLogin:
    return StretchedLogin(
        login_secret=login_secret(stretched_password, salt=salt, params=params),
        wrapping_key=wrapping_key(stretched_password, salt=salt, params=params),
    )
