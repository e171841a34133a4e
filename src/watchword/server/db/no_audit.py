"""What stands in for the audit chain until it is attached."""

from collections.abc import Sequence

from watchword.server.db.unit import Step


class NoAudit:
    """Stands in until the chain is attached: a unit with events cannot be written without it."""

    def begin(self) -> None:
        return

    def entries(self, events: Sequence[object]) -> Sequence[Step]:
        raise RuntimeError(f"{len(events)} audit events, and no audit chain is attached")

    def undo(self) -> None:
        return

    def committed(self) -> None:
        return

    def rolled_back(self) -> None:
        return
