"""Bans of the policy as they are made: an offence is counted, judged, and its source banned where that is due."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from watchword.core.clock import SECOND, Clock, Instant, SteadyClock
from watchword.core.entropy import Entropy
from watchword.core.ids import BanId
from watchword.core.secret import Secret
from watchword.crypto.kdf import Label, derive, tag
from watchword.server.addresses import AddressForm, source_of
from watchword.server.audit.model import AuditEvent, AuditTag
from watchword.server.bans.book import OffenceBook
from watchword.server.bans.keeping import BanKeeper
from watchword.server.bans.limited import EveryNth
from watchword.server.bans.model import Ban, BanReason, Offence, OffenceKind
from watchword.server.bans.networks import first_address, text_of
from watchword.server.bans.policy import BanPolicy, Tally, widens
from watchword.server.bans.table import BanTable
from watchword.server.bans.waiting import PendingBan
from watchword.server.bans.watching import BanChange, Change, Watchers
from watchword.server.bans.window import TAG_SIZE
from watchword.server.logs import get_log
from watchword.server.prefixes import prefix_of

IN_FLIGHT: Final = 10 * SECOND
"""So long after a ban, what fails was let in before it: it makes no second, longer one."""

_log: Final = get_log("bans")


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What making a ban takes. `clock` is the wall clock, for the audit trail; `steady` that of bans."""

    clock: Clock
    steady: SteadyClock
    entropy: Entropy
    form: AddressForm


class BanMaker:
    """`tag_key` tells names apart, and must stay the same for a window at least."""

    def __init__(
        self,
        means: Means,
        policy: BanPolicy,
        *,
        table: BanTable,
        book: OffenceBook,
        keeper: BanKeeper,
        tag_key: Secret,
    ) -> None:
        self.means = means
        self._policy = policy
        self._table = table
        self._book = book
        self._keeper = keeper
        self._tag_key = derive(tag_key, Label.OFFENCE_NAME)
        self._limited = EveryNth(policy.limited_each, policy.window_ms)
        self.watchers: Final = Watchers()
        self.made: Final[dict[BanReason, int]] = dict.fromkeys(BanReason, 0)

    def offend(self, offence: Offence) -> None:
        """Count an offence, and ban its source where that is due. Never waits."""
        source = source_of(offence.address)
        if self._policy.off or not source or self._is_beyond(offence.address):
            return
        at_once = self._policy.judge_at_once(offence.kind)
        if at_once is not None:
            self._ban(source, at_once, offence)
        elif offence.kind is not OffenceKind.LIMITED or self._is_due(source):
            name = self._tag(offence.name)
            self._book.count(source, name, lambda tally: self._judge(offence, source, tally))

    def _is_due(self, source: str) -> bool:
        return self._limited.is_due(source, self.means.steady.now())

    def _is_beyond(self, address: str) -> bool:
        if self._table.is_exempt(address):
            return True
        found = self._table.find(address)
        return found is not None and self.means.steady.now() - found.ban.made_at < IN_FLIGHT

    def _tag(self, name: str) -> bytes:
        return tag(self._tag_key, name.encode(), TAG_SIZE) if name else b""

    def _judge(self, offence: Offence, source: str, tally: Tally) -> None:
        reason = self._policy.judge(offence.kind, tally)
        if reason is not None:
            self._ban(source, reason, offence)

    def _ban(self, network: str, reason: BanReason, offence: Offence) -> None:
        """Ban `network` for `offence`, the last that was done, and what is around where enough in there is banned."""
        now = self.means.steady.now()
        last = self._table.last_of(network)
        live = last if last is not None and last.is_live(now) else None
        ban = self._first(network, reason, last, now) if live is None else self._longer(live, reason, now)
        if ban is None:
            return
        self._book.forget(network)
        self._keeper.later(PendingBan(ban, self._event(ban, offence)))
        self.take(ban, Change.BANNED if live is None else Change.EXTENDED, request=offence.request)
        for around in self._table.neighbours(prefix_of(network)) if widens(ban) else ():
            self._ban(text_of(around), BanReason.NEIGHBOURS, offence)

    def _first(self, network: str, reason: BanReason, last: Ban | None, now: Instant) -> Ban:
        """A ban of a network that has none; `last` has ended."""
        doublings = self._policy.doublings(last, now)
        return Ban(
            id=self.new_id(),
            network=network,
            reason=reason,
            made_at=now,
            ends_at=Instant(now + self._policy.length_ms(reason, doublings)),
            doublings=doublings,
        )

    def _longer(self, live: Ban, reason: BanReason, now: Instant) -> Ban | None:
        """`live` from now on; None where it stays as it is, as an operator's always does."""
        length = self._policy.extended_ms(live)
        if live.reason is BanReason.OPERATOR or not self._policy.extends(live, length, now):
            return None
        longer = replace(live, reason=reason, made_at=now, ends_at=Instant(now + length))
        # What it was made for stays, unless what came now says more.
        return longer if widens(longer) else replace(longer, reason=live.reason)

    def take(self, ban: Ban, change: Change, *, request: str = "") -> None:
        """Have `ban` hold from now on, and tell of it; `request` is the id of what it was made for or by."""
        self._table.put(ban)
        self.made[ban.reason] += 1
        self.watchers.tell(BanChange(change, ban))
        _log.info(
            "bans.made",
            ban=str(ban.id),
            address=self.show(ban.network),
            reason=ban.reason.value,
            seconds=seconds(ban),
            **_named(request),
        )

    def say_lifted(self, ban: Ban, *, request: str) -> None:
        """Tell that an operator has lifted `ban` here."""
        self.watchers.tell(BanChange(Change.LIFTED, ban))
        _log.info("bans.lifted", ban=str(ban.id), address=self.show(ban.network), **_named(request))

    def new_id(self) -> BanId:
        return BanId.new(self.means.steady.now(), self.means.entropy)

    def show(self, network: str) -> str:
        """A network as it may be kept: whole where addresses are, else by its first address."""
        first = first_address(network)
        shown = self.means.form.show(first)
        return network if shown == first else shown

    def _event(self, ban: Ban, offence: Offence) -> AuditEvent:
        return AuditEvent(
            tag=AuditTag.ADDRESS_BANNED,
            at=self.means.clock.now(),
            facts={
                **facts_of(ban),
                "reason": ban.reason.value,
                "doublings": ban.doublings,
                **_named(offence.request),
            },
            personal={"address": self.means.form.show(offence.address)},
        )


def facts_of(ban: Ban) -> Mapping[str, str | int]:
    """What the audit trail says of a ban for ever: no address."""
    return {"ban": str(ban.id), "prefix": prefix_of(ban.network).length, "seconds": seconds(ban)}


def _named(request: str) -> Mapping[str, str]:
    return {"request": request} if request else {}


def seconds(ban: Ban) -> int:
    """0: for ever."""
    return 0 if ban.is_for_ever else ban.length_ms // SECOND
