"""FAULTS C9: secrets are compared in constant time, and rows are found by selectors, never by anything secret."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "watchword"
SECRET = re.compile(r"(?:^|_)(?:verifier|secret|mac|tag|digest|hmac|pepper|password|token|seed)(?:$|_|s$)")
# Public by their nature, each with its reason.
ALLOWED = {
    (
        "server/audit/",
        "mac",
    ),  # heads of the trail: published in checkpoints, checked against the whole database
    ("server/audit/", "digest"),
    ("server/audit/restored.py", "tag"),  # the kind of an event
    ("server/activity/", "tag"),
    ("server/backup/", "digest"),  # of a file against damage; who has the file computes it
    ("server/http/", "tag"),  # an entity tag of public keys
    ("server/keys/", "tag"),
    ("server/control/", "token"),  # a token of a grammar
    ("client/session.py", "token"),  # two `Secret`s: their own comparison is constant in time
    ("client/held.py", "password"),  # numbers of versions
    ("client/held.py", "seed"),
    ("server/accounts/passwords.py", "hmac"),  # the name of a scheme
    ("crypto/verifiers.py", "verifier"),  # its first two bytes: scheme and number of peppers
}


def names_in(node: ast.expr) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def is_plain(node: ast.expr) -> bool:
    """A constant, a length or a type: what is compared is not the secret's value."""
    if isinstance(node, ast.Constant):
        return True
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"len", "type"}


def suspects(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each `==`, `!=` or `in` on something that sounds secret."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        if not any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops) or any(map(is_plain, sides)):
            continue
        for name in {name for side in sides for name in names_in(side)}:
            if SECRET.search(name.lower()):
                yield node.lineno, name


def test_fault_C9_no_secret_is_compared_with_equals() -> None:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE).as_posix()
        if place.startswith(("cli/", "testing/")):
            continue
        for line, name in suspects(path.read_text()):
            allowed = any(place.startswith(start) and part in name.lower() for start, part in ALLOWED)
            if not allowed:
                found.append(f"{place}:{line}: {name}")
    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        "stored.verifier == given",
        "if mac != body[:32]: pass",
        "ok = expected_tag == tag",
        "a.secret == b.secret",
    ],
)
def test_fault_C9_the_search_finds_a_planted_comparison(planted: str) -> None:
    assert list(suspects(planted))


@pytest.mark.parametrize(
    "fine", ["len(mac) == 32", "hmac.compare_digest(mac, other)", "tag is None", "kind == 1"]
)
def test_fault_C9_the_search_leaves_others_alone(fine: str) -> None:
    assert not list(suspects(fine))


def test_fault_C9_no_statement_finds_a_row_by_a_secret() -> None:
    """A verifier may stand beside a selector in a condition, as a guard; it may not be what selects."""
    condition = re.compile(r"where\s+(?P<first>[a-z_.]+)\s*=\s*:", re.IGNORECASE)
    firsts = set()
    for path in SOURCE.rglob("*.py"):
        firsts |= {found["first"].rpartition(".")[2] for found in condition.finditer(path.read_text())}
    assert {"id", "identifier_key", "selector"} <= firsts
    assert not {name for name in firsts if SECRET.search(name)}
