"""Which personal values to erase. Only values go: commitments stay, and the chain verifies as before."""

from dataclasses import dataclass

from watchword.core.clock import Instant
from watchword.core.ids import AccountId
from watchword.server.audit.entry import AuditEntry, decode_object, decode_personal, encode_kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """Selects personal values: of one account, of named fields, of entries older than an instant; combined.

    At least one must be given: nothing erases everything by leaving all out.
    """

    account: AccountId | None = None
    fields: frozenset[str] | None = None
    before: Instant | None = None

    def __post_init__(self) -> None:
        if self.account is None and self.fields is None and self.before is None:
            raise ValueError("an erasure names what it erases")

    def keep(self, entry: AuditEntry) -> tuple[int, str | None]:
        """How many values of `entry` go, and its erasable column without them. Raises `MalformedError`."""
        stored = decode_personal(entry.personal)
        if not self._selects(entry):
            return 0, entry.personal
        kept = {
            name: pair for name, pair in stored.items() if self.fields is not None and name not in self.fields
        }
        return len(stored) - len(kept), encode_kept(kept)

    def facts(self) -> dict[str, str | int]:
        """What the audit entry of the erasure says."""
        said: dict[str, str | int] = {}
        if self.account is not None:
            said["account"] = str(self.account)
        if self.fields is not None:
            said["fields"] = ",".join(sorted(self.fields))
        if self.before is not None:
            said["before"] = self.before
        return said

    def _selects(self, entry: AuditEntry) -> bool:
        if self.before is not None and entry.at >= self.before:
            return False
        return self.account is None or str(self.account) in decode_object(entry.facts).values()
