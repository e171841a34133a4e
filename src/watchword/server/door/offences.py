"""What an error says of whoever caused it: nothing, or an offence that counts against the source.

The table is by the reason that callers are not told. What happens to the innocent is no offence: keys that have
expired, sessions that were ended, a clock that is wrong, an answer that was lost and asked for again. Nor is an account
whose lane is held: whoever guesses at a name would else have its owner banned. Nor what another site's page has a
browser ask for: twenty images would else have all visitors of that page banned here.
"""

from collections.abc import Mapping
from typing import Final

from watchword.errors import ErrorCode, TooManyError, WatchwordError
from watchword.server.bans.model import OffenceKind
from watchword.server.door.scanners import is_scanner_path
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.headers import Headers
from watchword.server.limits.model import ASSET, LIMIT_CLASSES
from watchword.server.measures.outcomes import bounded_reason

_CREDENTIAL: Final = OffenceKind.CREDENTIAL
_FORGED: Final = OffenceKind.FORGED
OFFENCES: Final[Mapping[str, OffenceKind | None]] = {
    # What somebody tried to be let in with: name, password, device, invitation, one-time credential.
    "account_inactive": _CREDENTIAL,
    "credential_form": _CREDENTIAL,
    "credential_unknown": _CREDENTIAL,
    "device_ended": _CREDENTIAL,
    "device_gone": _CREDENTIAL,
    "device_header_form": _CREDENTIAL,
    "device_header_unknown": _CREDENTIAL,
    "device_not_signed": _CREDENTIAL,
    "form": _CREDENTIAL,
    "invitation_bad": _CREDENTIAL,
    "login_secret_form": _CREDENTIAL,
    "name": _CREDENTIAL,
    "suspended": _CREDENTIAL,
    "unexpected_device": _CREDENTIAL,
    "unexpected_signature": _CREDENTIAL,
    "unknown_device": _CREDENTIAL,
    "unknown_name": _CREDENTIAL,
    "wrong_secret": _CREDENTIAL,
    # Envelopes and keys that none of our clients makes.
    "device_keys": _CREDENTIAL,
    "device_keys_equal": _CREDENTIAL,
    "chest_version": _CREDENTIAL,
    "envelope_contents": _CREDENTIAL,
    "envelope_form": _CREDENTIAL,
    "envelope_suite": _CREDENTIAL,
    "short_key_identifier": _CREDENTIAL,
    "short_key_malformed": _CREDENTIAL,
    "short_key_missing": _CREDENTIAL,
    "short_key_purpose": _CREDENTIAL,
    # Nobody makes these by mistake.
    "cookie_forged": _FORGED,
    "device_header_forged": _FORGED,
    "device_signature": _FORGED,
    "short_key_forged": _FORGED,
    # Tokens that we did not sign, and what stands in the place of one.
    "algorithm": _CREDENTIAL,
    "base64url": _CREDENTIAL,
    "header_json": _CREDENTIAL,
    "header_members": _CREDENTIAL,
    "key": _CREDENTIAL,
    "key_id": _CREDENTIAL,
    "other_scheme": _CREDENTIAL,
    "parts": _CREDENTIAL,
    "signature": _CREDENTIAL,
    "signature_form": _CREDENTIAL,
    "size": _CREDENTIAL,
    "type": _CREDENTIAL,
    "unknown_key": _CREDENTIAL,
    # Limits.
    "concurrent": OffenceKind.CONCURRENT,
    **{f"rate_{name}": OffenceKind.LIMITED for name in (*LIMIT_CLASSES, ASSET)},
    # Time, races, and what was asked twice.
    "audience": None,
    "banned": None,
    "claims": None,
    "changed_meanwhile": None,
    "cookie_form": None,
    "cookie_twice": None,
    "credential_expired": None,
    "credential_used": None,
    "credential_used_long_ago": None,
    "device_header_ended": None,
    "device_header_many": None,
    "device_header_time": None,
    "device_header_used": None,
    "expiry": None,
    "guard": None,
    "invitation_missing": None,
    "invite": None,
    "issued_at": None,
    "issuer": None,
    "lane": None,
    "life": None,
    "no_cookie": None,
    "no_token": None,
    "not_before": None,
    "payload_json": None,
    "registration_closed": None,
    "session_ended": None,
    "session_unknown": None,
    "short_key_used": None,
    "token_expired": None,
}
"""By reason, or by the family of reasons that it belongs to. What is not listed is no offence."""
GUESSED_AT: Final = frozenset({"sign_in", "register"})
_MADE_BY_PAGES: Final = frozenset({OffenceKind.SCANNER, OffenceKind.LIMITED})
"""Offences that a page needs nothing for but addresses of ours, in its images."""
_BY_NUMBERS: Final = frozenset({OffenceKind.CONCURRENT, OffenceKind.LIMITED})
_OTHER_SITES: Final = frozenset({b"cross-site", b"same-site"})
_UNREADABLE: Final = frozenset({ErrorCode.MALFORMED, ErrorCode.UNSUPPORTED_MEDIA})


def offence_of(
    request: Request, route: Route | None, error: WatchwordError, account: str = ""
) -> OffenceKind | None:
    """What `request`, which ended with `error`, counts as; None where it is no offence.

    Who is known (`account`), or has proven a device, may ask too much, and has nobody banned by it.
    """
    kind = _kind_of(request, route, error)
    if kind in _BY_NUMBERS and (account or request.context.proven_device is not None):
        return None
    return None if kind in _MADE_BY_PAGES and _is_of_another_site(request.headers) else kind


def _kind_of(request: Request, route: Route | None, error: WatchwordError) -> OffenceKind | None:
    if not isinstance(error, TooManyError):
        if route is None:
            if is_scanner_path(request.raw_path):
                return OffenceKind.SCANNER
        elif error.code in _UNREADABLE and route.limit in GUESSED_AT:
            return _CREDENTIAL  # such as a password that nobody has sealed
    return offence_by(getattr(error, "reason", ""))


def _is_of_another_site(headers: Headers) -> bool:
    """Whether a browser says so. Who says it falsely is limited all the same, and gains no guess by it."""
    origin = headers.raw(b"origin")
    if origin is not None and origin != b"https://" + (headers.raw(b"host") or b""):
        return True
    return headers.raw(b"sec-fetch-site") in _OTHER_SITES


def offence_by(reason: str) -> OffenceKind | None:
    """The offence that the reason of a refusal tells of."""
    return OFFENCES[reason] if reason in OFFENCES else OFFENCES.get(bounded_reason(reason))
