"""What a test measured, for the closing lines of a run: pytest shows nothing of what a passing test prints."""

from typing import Final

told: Final[dict[str, str]] = {}
"""By fault and case: what was measured, in the words of the test."""


def record(name: str, text: str) -> None:
    """Keep `text` under `name`, such as "C6 with a planted leak". A later one of the same name replaces it."""
    told[name] = text
