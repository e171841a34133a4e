"""From counters to families of metrics, named by the conventions of Prometheus. Each function reads one source."""

import platform
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from watchword import __version__
from watchword.core.clock import SECOND, Instant
from watchword.errors import ErrorCode
from watchword.server.audit.checkpointer import CheckpointHealth
from watchword.server.audit.model import AuditTag
from watchword.server.bans import BanReason
from watchword.server.http.admission import Admission, HashPool
from watchword.server.keys.model import KeyStatus
from watchword.server.measures import (
    ConnectionMeasures,
    DatabaseMeasures,
    DoorMeasures,
    GuessMeasures,
    Histogram,
    LimitMeasures,
    RequestMeasures,
    Shared,
)
from watchword.server.measures.requests import STATUS_CLASSES
from watchword.server.metrics.population import Counted

_LOGIN: Final = {AuditTag.LOGIN_SUCCEEDED: "session", AuditTag.LOGIN_REFUSED: "refused"}
"""A login without a device gives a temporary token: the event says so itself."""
_REGISTRATION: Final = {
    AuditTag.ACCOUNT_REGISTERED: "registered",
    AuditTag.REGISTRATION_REFUSED: "refused",
}
_ENROLMENT: Final = {AuditTag.DEVICE_ENROLLED: "enrolled", AuditTag.ENROLMENT_REFUSED: "refused"}
_PASSWORD: Final = {
    AuditTag.PASSWORD_CHANGED: "changed",
    AuditTag.PASSWORD_CHANGE_REFUSED: "refused",
}


def requests(measures: RequestMeasures) -> Iterator[Metric]:
    answered = CounterMetricFamily(
        "watchword_http_requests",
        "Requests, by route, method and class of status; “gone”: the caller left first.",
        labels=("route", "method", "status"),
    )
    seconds = HistogramMetricFamily(
        "watchword_http_request_duration_seconds",
        "Time from the whole head of a request to its answer.",
        labels=("route", "method"),
    )
    for (route, method), row in measures.rows.items():
        for status, count in zip(STATUS_CLASSES, row.statuses, strict=True):
            if count:
                answered.add_metric((route, method, status), count)
        _add_histogram(seconds, (route, method), row.seconds)
    yield answered
    yield seconds
    yield _gauge(
        "watchword_http_requests_in_progress",
        "Requests that are not answered yet.",
        measures.begun - measures.done,
    )
    errors = CounterMetricFamily(
        "watchword_http_errors", "Answers with an error, by its code.", labels=("code",)
    )
    for code in ErrorCode:
        errors.add_metric((code.value,), measures.errors.get(code, 0))
    yield errors
    misplaced = CounterMetricFamily(
        "watchword_http_misplaced",
        "Requests for pages that brought what pages do not read, where people put passwords.",
        labels=("where",),
    )
    for where, count in measures.misplaced.items():
        misplaced.add_metric((where,), count)
    yield misplaced


def connections(measures: ConnectionMeasures) -> Iterator[Metric]:
    yield _gauge("watchword_connections_open", "Open connections.", measures.open)
    yield _counter("watchword_connections_accepted", "Connections that were taken.", measures.accepted)
    yield _counter(
        "watchword_connections_shed", "Connections closed at once for want of room.", measures.shed
    )
    yield _counter(
        "watchword_connections_banned",
        "Connections closed at once since their source is banned and has had its few.",
        measures.banned,
    )
    refused = CounterMetricFamily(
        "watchword_connections_refused",
        "Connections ended because what came was no request, by the status of the answer.",
        labels=("status",),
    )
    for status in (400, 408, 414, 431):
        refused.add_metric((str(status),), measures.refused.get(status, 0))
    yield refused


def guesses(measures: GuessMeasures) -> Iterator[Metric]:
    yield _counter(
        "watchword_guesses_verified",
        "Passwords that reached verification, right or wrong.",
        measures.verified,
    )
    held = CounterMetricFamily(
        "watchword_guesses_held",
        "Passwords that were not verified since their account's lane was held, by whose lane.",
        labels=("lane",),
    )
    for lane, times in measures.held.items():
        held.add_metric((lane,), times)
    yield held


def limits(measures: LimitMeasures) -> Iterator[Metric]:
    yield _gauge(
        "watchword_limits_buckets", "Buckets of limits in the memory of this process.", measures.buckets
    )
    yield _counter(
        "watchword_limits_dropped",
        "Buckets that were forgotten for want of room before they were full again.",
        measures.dropped,
    )


def shared(found: Shared | None) -> Iterator[Metric]:
    """Without samples where no Redis is set: nothing is wrong then."""
    up = GaugeMetricFamily("watchword_redis_up", "1 if Redis answers; absent where none is set.")
    local = GaugeMetricFamily(
        "watchword_limits_local", "1 if Redis is away and this node counts limits for itself meanwhile."
    )
    if found is not None:
        up.add_metric((), int(found.link.up))
        local.add_metric((), int(found.local))
    yield up
    yield local


def bans(live: int, made_here: Mapping[BanReason, int]) -> Iterator[Metric]:
    yield _gauge("watchword_bans_live", "Bans that keep somebody out now.", live)
    made = CounterMetricFamily(
        "watchword_bans_made", "Bans that this process made or made longer, by reason.", labels=("reason",)
    )
    for reason, count in made_here.items():
        made.add_metric((reason.value,), count)
    yield made


def costly(admission: Admission, hashes: HashPool) -> Iterator[Metric]:
    yield _gauge("watchword_costly_slots", "Costly requests that may be in work at once.", admission.slots)
    yield _gauge("watchword_costly_in_progress", "Costly requests in work.", admission.busy)
    yield _gauge("watchword_costly_waiting", "Costly requests that wait for a place.", admission.waiting)
    yield _counter("watchword_costly_shed", "Costly requests refused for want of room.", admission.shed)
    yield _gauge("watchword_hashes_pending", "Slow hashes that run or wait.", hashes.pending)
    yield _counter("watchword_hashes_shed", "Slow hashes refused for want of room.", hashes.shed)


def database(measures: DatabaseMeasures) -> Iterator[Metric]:
    waited = HistogramMetricFamily(
        "watchword_database_commit_duration_seconds",
        "Time from handing a change in until it is on disk: waiting, running and syncing.",
    )
    _add_histogram(waited, (), measures.commits)
    yield waited
    synced = HistogramMetricFamily(
        "watchword_database_sync_duration_seconds", "Time of the commit of one transaction to disk."
    )
    _add_histogram(synced, (), measures.syncs)
    yield synced
    groups = HistogramMetricFamily(
        "watchword_database_group_size", "Changes that one transaction carried to disk together."
    )
    _add_histogram(groups, (), measures.groups)
    yield groups
    undone = CounterMetricFamily(
        "watchword_database_commits_failed",
        "Changes undone; “guard”: somebody else was first, or a refusal; “engine”: disk or database.",
        labels=("cause",),
    )
    undone.add_metric(("guard",), measures.guarded)
    undone.add_metric(("engine",), measures.failed)
    yield undone


def outcomes(measures: DatabaseMeasures) -> Iterator[Metric]:
    """Of what people do, by outcome and by the reason in the audit trail."""
    counts = measures.outcomes.counts
    yield _by_reason("watchword_logins", "Logins", _LOGIN, counts)
    yield _by_reason("watchword_registrations", "Registrations", _REGISTRATION, counts)
    yield _by_reason("watchword_enrolments", "Enrolments of devices", _ENROLMENT, counts)
    yield _by_reason("watchword_password_changes", "Changes of passwords", _PASSWORD, counts)
    tags = dict.fromkeys(AuditTag, 0)
    for (tag, _outcome, _reason), count in counts.items():
        tags[AuditTag(tag)] += count
    yield _counter(
        "watchword_tokens_issued", "Access tokens given out for apps.", tags[AuditTag.TOKEN_ISSUED]
    )
    entries = CounterMetricFamily(
        "watchword_audit_entries", "Entries written to the audit trail, by tag.", labels=("tag",)
    )
    for tag, count in tags.items():
        entries.add_metric((tag.value,), count)
    yield entries


def door(measures: DoorMeasures) -> Iterator[Metric]:
    """Whom the door turned away. Steps and reasons are words of ours."""
    refused = CounterMetricFamily(
        "watchword_door_refused",
        "Requests turned away with 429, by step of the door and reason.",
        labels=("step", "reason"),
    )
    for labels, count in sorted(measures.refused.items()):
        refused.add_metric(labels, count)
    yield refused


def audit(head: int, health: CheckpointHealth) -> Iterator[Metric]:
    yield _gauge("watchword_audit_head", "Number of the newest entry of this node's audit chain.", head)
    yield _gauge(
        "watchword_audit_checkpoint_age_seconds",
        "Time since the newest entry was signed on disk.",
        health.seconds_since_good,
    )
    yield _gauge(
        "watchword_audit_checkpoint_failing", "1 if the last checkpoint failed.", int(health.failing)
    )
    yield _gauge(
        "watchword_audit_degraded", "1 if checkpoints have failed for too long.", int(health.degraded)
    )


def keys(found: Iterable[KeyStatus], now: Instant) -> Iterator[Metric]:
    """Of each use the oldest current key, and the nearest change. Uses are fixed; key ids are not shown."""
    ages: dict[str, int] = {}
    changes: dict[str, Instant] = {}
    for key in found:
        if key.state == "current" and key.created_at is not None:
            ages[key.use] = max(ages.get(key.use, 0), now - key.created_at)
        if key.changes_at is not None:
            changes[key.use] = min(changes.get(key.use, key.changes_at), key.changes_at)
    age = GaugeMetricFamily("watchword_key_age_seconds", "Age of the current key.", labels=("use",))
    for use, milliseconds in sorted(ages.items()):
        age.add_metric((use,), milliseconds / SECOND)
    yield age
    change = GaugeMetricFamily(
        "watchword_key_next_change_timestamp_seconds",
        "When a key of this use takes over, ends or expires next. Certificates renew themselves before.",
        labels=("use",),
    )
    for use, instant in sorted(changes.items()):
        change.add_metric((use,), instant / SECOND)
    yield change


def population(counted: Counted | None) -> Iterator[Metric]:
    if counted is None:
        return
    accounts = GaugeMetricFamily("watchword_accounts", "Accounts, by state.", labels=("state",))
    accounts.add_metric(("active",), counted.active_accounts)
    accounts.add_metric(("suspended",), counted.suspended_accounts)
    yield accounts
    yield _gauge("watchword_devices", "Enrolled devices.", counted.devices)
    yield _gauge("watchword_sessions", "Live sessions.", counted.live_sessions)


def server(*, ready: bool) -> Iterator[Metric]:
    yield _gauge("watchword_ready", "1 if the server can do its work; see /health/ready.", int(ready))
    build = InfoMetricFamily("watchword_build", "What runs.")
    build.add_metric((), {"version": __version__, "python": platform.python_version()})
    yield build


def _by_reason(
    name: str, what: str, tags: Mapping[AuditTag, str], counts: Mapping[tuple[str, str, str], int]
) -> Metric:
    family = CounterMetricFamily(
        name,
        f"{what}, by outcome and by the reason in the audit trail.",
        labels=("outcome", "reason"),
    )
    sums: dict[tuple[str, str], int] = {(outcome, ""): 0 for outcome in tags.values() if outcome != "refused"}
    for (tag, outcome, reason), count in counts.items():
        if tag in tags:
            label = (outcome or tags[AuditTag(tag)], reason)
            sums[label] = sums.get(label, 0) + count
    for (outcome, reason), count in sums.items():
        family.add_metric((outcome, reason), count)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _add_histogram(family: HistogramMetricFamily, labels: tuple[str, ...], found: Histogram) -> None:
    total, buckets = 0, []
    for bound, count in zip((*map(str, found.bounds), "+Inf"), found.counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    family.add_metric(labels, buckets, found.total)
