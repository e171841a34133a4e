"""Many of a kind as one: what strangers can make happen, and what machines do, never hides what people did."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from watchword.core.clock import Instant
from watchword.server.activity.model import Activity, ActivityKind

GROUPED: Final = frozenset(
    {ActivityKind.SIGN_IN_REFUSED, ActivityKind.PASSWORD_CHANGE_REFUSED, ActivityKind.TOKEN_ISSUED}
)
MAX_APPS: Final = 10
"""Groups that name their app. Whoever is signed in can have tokens for as many apps as they like."""


@dataclass(slots=True)
class _Group:
    """What happened between two events. `newest` stands for all of them."""

    newest: Activity
    since: Instant
    count: int = 0
    more: bool = False
    audience: str = ""
    addresses: set[str] = field(default_factory=set)

    def add(self, activity: Activity) -> None:
        self.since = activity.since
        self.audience = activity.audience if self.count == 0 or activity.audience == self.audience else ""
        self.count += activity.count
        self.more = activity.more
        if activity.address:
            self.addresses.add(activity.address)

    def activity(self) -> Activity:
        return replace(
            self.newest,
            since=self.since,
            count=self.count,
            more=self.more,
            audience=self.audience,
            addresses=len(self.addresses),
        )


class _Gap:
    """The groups between two events: one for each kind of refusal, and those of tokens, with a limit of their own.

    So tokens take no room from anything else, and each app beyond the limit goes into one group for all such apps.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[ActivityKind, str | None], _Group] = {}
        self._apps = MAX_APPS

    def add(self, activity: Activity) -> None:
        key = self._key(activity)
        if key not in self._groups:
            self._groups[key] = _Group(activity, activity.since)
            self._apps -= bool(key[1])
        self._groups[key].add(activity)

    def close(self) -> list[Activity]:
        """The groups, newest first; the next gap begins."""
        groups = [each.activity() for each in self._groups.values()]
        self._groups.clear()
        return groups

    def _key(self, activity: Activity) -> tuple[ActivityKind, str | None]:
        named = (activity.kind, activity.audience)
        fits = not activity.audience or self._apps > 0 or named in self._groups
        return named if fits else (activity.kind, None)


def group(activities: Iterable[Activity], *, limit: int) -> list[Activity]:
    """At most `limit` single events from `activities`, newest first, with what is grouped before and between them.

    A group stands where its newest member was; a group of tokens is for one app, as far as there is room.
    """
    shown: list[Activity] = []
    gap, left = _Gap(), limit
    for activity in activities:
        if activity.kind in GROUPED:
            gap.add(activity)
        elif left:
            shown += [*gap.close(), activity]
            left -= 1
        else:
            return shown
    return shown + gap.close() if limit else []
