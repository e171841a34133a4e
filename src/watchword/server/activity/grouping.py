"""Many of a kind as one: what strangers can make happen, and what machines do, never hides what people did."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from watchword.core.clock import Instant
from watchword.server.activity.model import Activity, ActivityKind

GROUPED: Final = frozenset(
    {ActivityKind.SIGN_IN_REFUSED, ActivityKind.PASSWORD_CHANGE_REFUSED, ActivityKind.TOKEN_ISSUED}
)


@dataclass(slots=True)
class _Group:
    """What happened between two events. `newest` stands for all of them."""

    newest: Activity
    since: Instant
    count: int = 0
    more: bool = False
    addresses: set[str] = field(default_factory=set)

    def add(self, activity: Activity) -> None:
        self.since = activity.since
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
            addresses=len(self.addresses),
        )


def group(activities: Iterable[Activity], *, limit: int) -> list[Activity]:
    """At most `limit` single events, and as many groups, from `activities`, newest first.

    A group stands where its newest member was; a group of tokens is for one app.
    """
    shown: list[Activity] = []
    gap: dict[str, _Group] = {}
    events = groups = 0
    for activity in activities:
        if activity.kind in GROUPED:
            key = f"{activity.kind} {activity.audience}"
            gap.setdefault(key, _Group(activity, activity.since)).add(activity)
            continue
        if events == limit:
            return shown
        between = [one.activity() for one in gap.values()][: limit - groups]
        shown += [*between, activity]
        gap.clear()
        events, groups = events + 1, groups + len(between)
    return shown + [one.activity() for one in gap.values()][: limit - groups]
