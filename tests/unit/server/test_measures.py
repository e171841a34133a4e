import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import watchword.server
from watchword.server.measures import Histogram, Outcomes, RequestMeasures
from watchword.server.measures.outcomes import OTHER, REASONS, bounded_reason

SOURCE = Path(watchword.server.__file__).parent
AUDITED = ("sessions", "accounts", "enrolment", "devices", "sealed.py")


def reasons_in_the_code() -> Iterator[str]:
    """What is given to `RefusedError`, and returned as a reason, where a refusal is audited."""
    places = [path for path in SOURCE.rglob("*.py") if path.relative_to(SOURCE).parts[0] in AUDITED]
    for path in places:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RefusedError":
                yield from texts(node.args[0])
            elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
                yield from texts(node.value.elts[-1])


def texts(node: ast.expr) -> Iterator[str]:
    for found in ast.walk(node):
        if isinstance(found, ast.Constant) and isinstance(found.value, str) and found.value:
            yield found.value


def test_every_reason_of_a_refusal_has_a_label() -> None:
    found = set(reasons_in_the_code())
    assert len(found) > 25
    assert {reason for reason in found if bounded_reason(reason) == OTHER} == set()
    assert all(bounded_reason(reason) in REASONS for reason in found)


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("wrong_secret", "wrong_secret"),
        ("name_too_short", "name"),
        ("guard_session", "guard"),
        ("changed_meanwhile_account", "changed_meanwhile"),
        ("", ""),
        ("what a caller sent", OTHER),
        (7, OTHER),
    ],
)
def test_fault_N9_a_reason_is_one_of_a_list(reason: str | int, label: str) -> None:
    assert bounded_reason(reason) == label


def test_fault_N9_facts_of_any_text_make_one_row_for_each_tag() -> None:
    outcomes = Outcomes()
    for number in range(10_000):
        outcomes.note("a:b:c", {"reason": f"r{number}", "outcome": f"o{number}"})
    assert outcomes.counts == {("a:b:c", "", OTHER): 10_000}


def test_a_value_on_a_bound_counts_below_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1]
    assert histogram.total == pytest.approx(7.5)


def test_a_request_is_counted_by_the_class_of_its_status() -> None:
    measures = RequestMeasures()
    for status in (0, 200, 204, 404, 503):
        measures.observe("/api/me", "GET", status, 0.003)
    row = measures.rows["/api/me", "GET"]
    assert row.statuses == [1, 0, 2, 0, 1, 1]
    assert sum(row.seconds.counts) == measures.done == 5
