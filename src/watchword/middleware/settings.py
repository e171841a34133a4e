"""What every face is configured with; a mistake is told at start, in a sentence."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Required, TypedDict, cast

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.errors import InvalidConfigError
from watchword.middleware.verifier import Check


class Settings(TypedDict, total=False):
    """The options of each middleware (docs/apps.md has them as a table)."""

    issuer: Required[str]
    """The server's origin, as `watchword serve` shows it."""
    audience: Required[str]
    """This application's own origin: `watchword token --for AUDIENCE` makes its tokens."""
    ca_file: str | None
    """PEM file of the roots to trust for the server; default: WATCHWORD_CA, else the system's."""
    pin: str | None
    """The `key_pin` of the server's certificate, instead of any root."""
    bearer_ok: bool
    """Take tokens that are bound to no key: whoever copies one has it. Default: False."""
    least_level: int
    """On every route, 0 to 9."""
    scopes: Iterable[str]
    """That every route needs."""
    max_age: int | None
    """Seconds since the person proved who they are, on every route."""
    public: Iterable[str]
    """Paths without a caller: "/health", or a folder "/static/"."""
    checks: Iterable[Check]
    """Further conditions, for every request."""
    clock: Clock | None
    entropy: Entropy | None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_many(value: Any) -> bool:
    return isinstance(value, Iterable)


_FORMS: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "issuer": ("the server's origin, as text", _is_text),
    "audience": ("this application's origin, as text", _is_text),
    "ca_file": ("the path of a file, as text", _is_text_or_none),
    "pin": ("text", _is_text_or_none),
    "bearer_ok": ("True or False", lambda value: isinstance(value, bool)),
    "least_level": ("a whole number", lambda value: type(value) is int),
    "scopes": ("a list of scopes", _is_many),
    "max_age": ("a whole number of seconds", lambda value: value is None or type(value) is int),
    "public": ("a list of paths", _is_many),
    "checks": ("a list of functions", lambda value: _is_many(value) and not _is_text(value)),
    "clock": ("a Clock", lambda value: value is None or hasattr(value, "monotonic")),
    "entropy": ("an Entropy", lambda value: value is None or hasattr(value, "bytes")),
}


def settings_of(given: Mapping[str, Any]) -> Settings:
    """`given` if it is complete, and each option is known and of its type. Names may be in capitals.

    Raises:
        InvalidConfigError: says which option, and what it must be.
    """
    if not isinstance(given, Mapping):
        raise InvalidConfigError("the settings of Watchword are a dict with issuer and audience")
    named = {str(name).lower(): value for name, value in given.items()}
    if len(named) != len(given):
        raise InvalidConfigError("an option stands twice, in capitals and not")
    for name, value in named.items():
        if name not in _FORMS:
            raise InvalidConfigError(f"{name}: no such option; there are {', '.join(_FORMS)}")
        wanted, is_right = _FORMS[name]
        if not is_right(value):
            raise InvalidConfigError(f"{name}: must be {wanted}")
    for name in ("issuer", "audience"):
        if name not in named:
            raise InvalidConfigError(f"{name}: missing; give {_FORMS[name][0]}")
    return cast("Settings", named)
