"""When keys change state: pure functions from keys and an instant to keys.

```
           publish_ahead             replaced              overlap or grace
  (made) ── NEXT ───────── CURRENT ─────────── RETIRING ──────────────────── RETIRED (signing), gone (sealing)
             └── at once ──┘ └── at once ─────────── at once ─────────────────┘
```

At once is for a key that somebody else may know: every other key of its lane ends in the same change, so that nothing
that was made with one is believed, or opens, any more.

Sealing keys skip NEXT: an envelope to the old key opens for the whole grace, and a node that does not know a new key
yet looks again.
"""

import dataclasses
from collections.abc import Sequence

from watchword.core.clock import HOUR, Instant, later
from watchword.errors import ConflictError
from watchword.server.keys.model import MAX_KEYS_PER_LANE, KeyState, Lane, Policy, ServerKey

Keys = tuple[ServerKey, ...]
_SLACK = HOUR
"""A clock that went back by more than this had been wrong: what it scheduled is brought near again."""


def advance(keys: Sequence[ServerKey], now: Instant, policy: Policy) -> Keys:
    """The keys as they have to stand at `now`."""
    standing = [_rescheduled(key, now, policy) for key in keys]
    due = [key for key in standing if key.state is KeyState.NEXT and _is_due(key, now)]
    for key in due:
        standing = list(_promote(standing, key.kid, now, policy))
    ended = {key.kid for key in standing if key.state is KeyState.RETIRING and _is_due(key, now)}
    kept = [key for key in standing if key.kid not in ended or key.lane is Lane.SIGNING]
    return tuple(_retired(key) if key.kid in ended else key for key in kept)


def introduce(
    keys: Sequence[ServerKey], new: ServerKey, now: Instant, policy: Policy, *, at_once: bool
) -> Keys:
    """`keys` with `new` in its lane: waiting if it is for signing and there is time, else current.

    Raises:
        ConflictError: a new key waits already, or (not `at_once`, which ends them) the lane is full of retiring keys.
    """
    if waiting(keys, new.lane) is not None:
        raise ConflictError(f"a new key for {new.lane.value} is published already and takes over in time")
    if at_once:
        return _replace_all([*keys, new], new)
    in_lane = [key for key in keys if key.lane is new.lane and key.state is not KeyState.RETIRED]
    if len(in_lane) >= MAX_KEYS_PER_LANE:
        raise ConflictError(
            f"{len(in_lane)} keys for {new.lane.value} are in use: wait until the oldest has ended"
        )
    if new.lane is Lane.SIGNING:
        coming = dataclasses.replace(new, state=KeyState.NEXT, changes_at=later(now, policy.publish_ahead))
        return (*keys, coming)
    return _promote([*keys, new], new.kid, now, policy)


def hasten(keys: Sequence[ServerKey], lane: Lane) -> Keys:
    """Let the waiting key of `lane` take over at once, if there is one; the others of its lane end."""
    coming = waiting(keys, lane)
    return tuple(keys) if coming is None else _replace_all(keys, coming)


def waiting(keys: Sequence[ServerKey], lane: Lane) -> ServerKey | None:
    return next((key for key in keys if key.lane is lane and key.state is KeyState.NEXT), None)


def current(keys: Sequence[ServerKey], lane: Lane) -> ServerKey | None:
    return next((key for key in keys if key.lane is lane and key.state is KeyState.CURRENT), None)


def _promote(keys: Sequence[ServerKey], kid: str, now: Instant, policy: Policy) -> Keys:
    """`kid` becomes current; the current key of its lane signed until this very moment, and retires from it."""
    lane = next(key.lane for key in keys if key.kid == kid)
    ends_at = later(now, policy.signing_overlap if lane is Lane.SIGNING else policy.sealing_grace)

    def moved(key: ServerKey) -> ServerKey:
        if key.kid == kid:
            return dataclasses.replace(key, state=KeyState.CURRENT, changes_at=None)
        if key.lane is lane and key.state is KeyState.CURRENT:
            return dataclasses.replace(key, state=KeyState.RETIRING, changes_at=ends_at)
        return key

    return tuple(moved(key) for key in keys)


def _replace_all(keys: Sequence[ServerKey], new: ServerKey) -> Keys:
    """`new` is the only key of its lane in use: signing keys before it are retired, sealing keys gone."""
    taken = dataclasses.replace(new, state=KeyState.CURRENT, changes_at=None)

    def moved(key: ServerKey) -> ServerKey:
        if key.kid == new.kid:
            return taken
        return _retired(key) if key.lane is new.lane else key

    return tuple(
        moved(key)
        for key in keys
        if key.kid == new.kid or key.lane is not new.lane or key.lane is Lane.SIGNING
    )


def _retired(key: ServerKey) -> ServerKey:
    return dataclasses.replace(key, state=KeyState.RETIRED, changes_at=None)


def _is_due(key: ServerKey, now: Instant) -> bool:
    return key.changes_at is not None and key.changes_at <= now


def _rescheduled(key: ServerKey, now: Instant, policy: Policy) -> ServerKey:
    longest = max(policy.publish_ahead, policy.signing_overlap, policy.sealing_grace)
    if key.changes_at is None or key.changes_at <= now + longest + _SLACK:
        return key
    return dataclasses.replace(key, changes_at=later(now, longest))
