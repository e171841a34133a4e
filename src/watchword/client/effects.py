"""What an exchange asks its driver to do: call the server, or stretch a password. Pure data."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from watchword.core.secret import Secret
from watchword.crypto.passwords import StretchParams
from watchword.protocol.device_header import HeaderKey
from watchword.protocol.wire import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. The driver answers with the body of a 2xx answer, or throws the error that the server named."""

    method: str
    path: str
    body: Message | None = None
    access_token: Secret | None = None
    device: HeaderKey | None = None
    """Proves itself in a header, a new one each time that the request is sent."""
    repeatable: bool = False
    """Whether doing it twice does no more than once: as every GET, and what its protocol says so of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Argon2id of a prepared password; slow by intent. The driver answers with the 32 bytes as a `Secret`."""

    password: Secret
    salt: bytes
    params: StretchParams


Effect = Call | Stretch
Reply = bytes | Secret
T = TypeVar("T")
Flow = Generator[Effect, Reply, T]
"""An exchange: yields effects, is sent their results, returns what it was for."""


def call(effect: Call) -> Generator[Effect, Reply, bytes]:
    answer = yield effect
    if not isinstance(answer, bytes):
        raise TypeError("the driver answered a call with something else")
    return answer


def stretched(password: Secret, salt: bytes, params: StretchParams) -> Generator[Effect, Reply, Secret]:
    answer = yield Stretch(password=password, salt=salt, params=params)
    if not isinstance(answer, Secret):
        raise TypeError("the driver answered a stretch with something else")
    return answer
