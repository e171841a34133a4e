"""What happened to an account lately."""

import dataclasses
from collections.abc import Mapping, Sequence
from heapq import merge
from typing import Final

from watchword.core.ids import AccountId, DeviceId
from watchword.server.activity.grouping import group
from watchword.server.activity.model import Activity, Entry
from watchword.server.activity.reading import read_entries
from watchword.server.activity.store import ActivityStore

MAX_LIMIT: Final = 50
READ_EVENTS: Final = 4 * MAX_LIMIT
"""A device that is enrolled is two entries, and refused changes of the password become one."""
READ_GROUPED: Final = 50
"""Refused logins, and tokens: a millisecond of reading, however many there are. Counts of more are least counts."""


class ActivityService:
    def __init__(self, *, store: ActivityStore) -> None:
        self._store = store

    async def recent(self, account_id: AccountId, *, limit: int = MAX_LIMIT) -> list[Activity]:
        """Newest first: at most `limit` (up to MAX_LIMIT) events, and between them what is grouped.

        Refused logins are those by the account's user name, since it was made. Entries are not verified here: that
        is `AuditService.verify`. Raises `UnavailableError`, `DamagedError`.
        """
        names = await self._store.device_names(account_id)
        events = read_entries(await self._store.events(account_id, limit=READ_EVENTS), names)
        tokens = _read_cut(await self._store.tokens(account_id, limit=READ_GROUPED), names)
        refused = await self._refused(account_id)
        merged = merge(events, tokens, refused, key=lambda activity: -activity.at)
        return group(merged, limit=max(0, min(limit, MAX_LIMIT)))

    async def _refused(self, account_id: AccountId) -> list[Activity]:
        """By the user name alone: nobody has shown that an e-mail address is theirs, and its owner may be trying it.

        Whoever had the name before is none of this owner's business either.
        """
        key = await self._store.username_key(account_id)
        if key is None:
            return []
        found = await self._store.refused(key, since=account_id.began_at, limit=READ_GROUPED)
        return _read_cut(found, {})


def _read_cut(entries: Sequence[Entry], names: Mapping[DeviceId, str]) -> list[Activity]:
    """Where not everything was read, the oldest says so."""
    read = read_entries(entries, names)
    if len(entries) == READ_GROUPED:
        read[-1:] = [dataclasses.replace(oldest, more=True) for oldest in read[-1:]]
    return read
