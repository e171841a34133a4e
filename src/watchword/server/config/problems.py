"""Everything that is wrong with a configuration, told together: each with its key and where it stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchword.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem:
    """`place` names a file and line, a variable or a flag; it is empty where something is missing."""

    key: str
    place: str
    detail: str

    def __str__(self) -> str:
        where = f" ({self.place})" if self.place else ""
        return f"{self.key}{where}: {self.detail}"


class InvalidSettingsError(InvalidConfigError):
    """One or more problems of a configuration; its detail has one line for each."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
