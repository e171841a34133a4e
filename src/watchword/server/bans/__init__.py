"""Who is kept out: offences of sources, and the bans that they lead to.

Invariants: a ban is found in memory, without waiting; whoever is exempt is neither banned nor kept out by a wider ban;
no flood of addresses makes us forget a ban, or the counts of those who are attacking; setting the clock neither lifts
nor prolongs a ban; bans and the audit entries that describe them are written together.
"""

from watchword.server.bans.book import MemoryOffenceBook, OffenceBook
from watchword.server.bans.model import Ban, BanReason, Offence, OffenceKind
from watchword.server.bans.policy import BanPolicy, Tally
from watchword.server.bans.service import Bans
from watchword.server.bans.table import BanTable, LiveBan

__all__ = [
    "Ban",
    "BanPolicy",
    "BanReason",
    "BanTable",
    "Bans",
    "LiveBan",
    "MemoryOffenceBook",
    "Offence",
    "OffenceBook",
    "OffenceKind",
    "Tally",
]
