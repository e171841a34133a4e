"""An audit entry as an activity: which entries an owner is told of, and what is taken from them."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from watchword.core.ids import DeviceId, Id, SessionId
from watchword.errors import MalformedError
from watchword.server.activity.model import Activity, ActivityKind, Entry
from watchword.server.audit.model import AuditTag
from watchword.server.devices.model import TEMPORARY_TOKEN_LIFE

_KINDS: Final[Mapping[str, ActivityKind]] = {
    AuditTag.ACCOUNT_REGISTERED: ActivityKind.REGISTERED,
    AuditTag.LOGIN_SUCCEEDED: ActivityKind.SIGNED_IN,
    AuditTag.LOGIN_REFUSED: ActivityKind.SIGN_IN_REFUSED,
    AuditTag.DEVICE_ENROLLED: ActivityKind.DEVICE_ENROLLED,
    AuditTag.SESSION_ENDED: ActivityKind.SESSION_ENDED,
    AuditTag.SESSIONS_ENDED: ActivityKind.ALL_SESSIONS_ENDED,
    AuditTag.PASSWORD_CHANGED: ActivityKind.PASSWORD_CHANGED,
    AuditTag.PASSWORD_CHANGE_REFUSED: ActivityKind.PASSWORD_CHANGE_REFUSED,
    AuditTag.TOKEN_ISSUED: ActivityKind.TOKEN_ISSUED,
    AuditTag.LANE_CLOSED: ActivityKind.STRANGERS_SHUT_OUT,
    AuditTag.LANE_OPENED: ActivityKind.STRANGERS_LET_IN,
    AuditTag.DEVICE_ENDED: ActivityKind.DEVICE_ENDED,
    AuditTag.LEVEL_SET: ActivityKind.LEVEL_SET,
    AuditTag.ACCOUNT_SUSPENDED: ActivityKind.SUSPENDED,
    AuditTag.ACCOUNT_RESUMED: ActivityKind.RESUMED,
}
AnyId = TypeVar("AnyId", bound=Id)


def read_entries(entries: Sequence[Entry], names: Mapping[DeviceId, str]) -> list[Activity]:
    """What is told of `entries`, in their order, which is newest first. `names` are those of the devices."""
    logins = _logins_of_enrolments(entries)
    used = set(logins.values())
    return [
        _activity(entry, kind, entries[logins[place]] if place in logins else None, names)
        for place, entry in enumerate(entries)
        if (kind := _kind(entry)) is not None and place not in used
    ]


def _logins_of_enrolments(entries: Sequence[Entry]) -> dict[int, int]:
    """By the place of an enrolment among `entries`: the place of the login that gave the token for it.

    Each has one of its own, from the same address and within the life of the token.
    """
    waiting: list[int] = []
    found: dict[int, int] = {}
    for place, entry in enumerate(entries):
        if _enrolled(entry):
            waiting.append(place)
        elif _gave_token(entry):
            enrolment = next((one for one in waiting if _follows(entries[one], entry)), None)
            if enrolment is not None:
                waiting.remove(enrolment)
                found[enrolment] = place
    return found


def _enrolled(entry: Entry) -> bool:
    return entry.tag == AuditTag.DEVICE_ENROLLED and entry.facts.get("repeated") != 1


def _gave_token(entry: Entry) -> bool:
    return entry.tag == AuditTag.LOGIN_SUCCEEDED and entry.facts.get("outcome") == "temporary_token"


def _follows(enrolment: Entry, login: Entry) -> bool:
    same = enrolment.personal.get("address") == login.personal.get("address")
    return same and 0 <= enrolment.at - login.at < TEMPORARY_TOKEN_LIFE


def _kind(entry: Entry) -> ActivityKind | None:
    """None for what is no news: an erasure, and the answer to an enrolment that was given once more."""
    if entry.tag == AuditTag.DEVICE_ENROLLED and not _enrolled(entry):
        return None
    if _gave_token(entry):
        return ActivityKind.PASSWORD_ACCEPTED
    if entry.tag == AuditTag.SESSIONS_ENDED and "kept" in entry.facts:
        return ActivityKind.OTHER_SESSIONS_ENDED
    return _KINDS.get(entry.tag)


def _activity(
    entry: Entry, kind: ActivityKind, login: Entry | None, names: Mapping[DeviceId, str]
) -> Activity:
    device = _id(DeviceId, entry.facts.get("device"))
    level = entry.facts.get("level")
    return Activity(
        kind=kind,
        at=entry.at,
        since=entry.at,
        address=entry.personal.get("address", ""),
        addresses=int("address" in entry.personal),
        user_agent=_first(
            entry.personal.get("user_agent"), login.personal.get("user_agent") if login else None
        ),
        device=device,
        device_name=_first(entry.personal.get("device_name"), names.get(device) if device else None),
        session=_id(SessionId, entry.facts.get("session")),
        audience=_text(entry.facts.get("audience")),
        level=level if isinstance(level, int) and kind is ActivityKind.LEVEL_SET else None,
    )


def _first(*texts: str | None) -> str:
    return next((text for text in texts if text), "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _id(kind: type[AnyId], value: object) -> AnyId | None:
    try:
        return kind.parse(_text(value))
    except MalformedError:
        return None
