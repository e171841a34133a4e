"""Inputs for codecs: anything at all, and what is almost right, which goes deepest.

By default the same examples come each time. With WATCHWORD_FUZZ_SECONDS set (`make fuzz`), `tests/fuzz/conftest.py`
runs each test again and again with new seeds until its share of that time is over.
"""

import json
import os
from collections.abc import Callable
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from watchword.testing.counts import count

SECONDS_VARIABLE: Final = "WATCHWORD_FUZZ_SECONDS"
FUZZING: Final = SECONDS_VARIABLE in os.environ
_LEAVES: Final = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
JSON_VALUES: Final = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_JSON_BYTES: Final = JSON_VALUES.map(lambda value: json.dumps(value).encode())
ANY_BYTES: Final = st.binary(max_size=300) | _JSON_BYTES
ANY_TEXT: Final = st.text(max_size=200) | st.text(alphabet='abcXYZ019-_=.{}[]":, \n', max_size=200)


def fuzzed(quick: int = 100, full: int = 5000) -> Callable[[Any], Any]:
    """The settings of a fuzz test, with its quick and its full number of examples."""
    return settings(
        max_examples=count(quick, full),
        deadline=None,
        derandomize=not FUZZING,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


@st.composite
def near_bytes(draw: st.DrawFn, good: bytes) -> bytes:
    """`good` with up to three places changed, cut, doubled or filled with something else."""
    data = good
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + draw(st.sampled_from([1, 4, 64, 100_000])))))
        middle = draw(st.sampled_from([b"", data[start:end] * 2]) | st.binary(max_size=8))
        data = data[:start] + middle + data[end:]
    return data


@st.composite
def near_json(draw: st.DrawFn, good: dict[str, Any]) -> bytes:
    """`good` with members of other values, members too many, or members too few."""
    members = dict(good)
    for name in draw(st.lists(st.sampled_from([*good, "extra"]), min_size=1, max_size=3)):
        if draw(st.booleans()):
            members[name] = draw(JSON_VALUES)
        else:
            members.pop(name, None)
    return json.dumps(members).encode()


def bytes_for(good: bytes) -> st.SearchStrategy[bytes]:
    """Anything, and what is near `good`; near its members where it is a JSON object."""
    strategies = [ANY_BYTES, near_bytes(good)]
    try:
        value = json.loads(good)
    except ValueError:
        value = None
    if isinstance(value, dict):
        strategies.append(near_json(value))
    return st.one_of(strategies)


def text_for(good: str) -> st.SearchStrategy[str]:
    """Anything, and what is near `good`, lone surrogates included."""
    near = near_bytes(good.encode()).map(lambda data: data.decode("utf-8", "surrogateescape"))
    return st.one_of(ANY_TEXT, near)
