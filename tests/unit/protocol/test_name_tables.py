"""The tables behind names: made from the committed sources, small, and read as UTS 39 says."""

import tracemalloc

import pytest
from tools import make_name_tables

from watchword.protocol.names.skeleton import make_skeleton
from watchword.protocol.names.tables import ScriptTable, is_single_script, prototypes


def test_the_shipped_tables_are_made_from_the_committed_sources() -> None:
    assert make_name_tables.make() == make_name_tables.TARGET.read_text(encoding="ascii")


@pytest.mark.parametrize(
    ("text", "single"),
    [
        ("abc123", True),
        ("абв", True),
        ("abв", False),
        ("漢字かなカナ", True),
        ("漢字한글", True),
        ("漢字ㄅㄆ", True),
        ("かな한글", False),
        ("ㄅかな", False),
        ("aかな", False),
        ("ーか", True),
        ("ーa", False),
        ("123._-", True),
        ("e\u0301", True),
        ("e\u0483", False),
        ("\u0378", False),
    ],
)
def test_scripts_are_intersected_with_their_extensions(text: str, single: bool) -> None:
    assert is_single_script(text) is single


@pytest.mark.parametrize(
    ("source", "prototype"),
    [("0", "O"), ("1", "l"), ("I", "l"), ("m", "rn"), ("а", "a"), ("ı", "i"), ("ο", "o"), ("ӏ", "i")],
)
def test_prototypes_point_the_way_confusables_txt_does(source: str, prototype: str) -> None:
    assert prototypes()[ord(source)] == prototype
    assert make_skeleton(source) == make_skeleton(prototypes()[ord(source)])


def test_a_prototype_is_its_own_skeleton_but_for_case() -> None:
    for target in set(prototypes().values()):
        assert make_skeleton(target) == make_skeleton(make_skeleton(target))


def test_the_tables_cost_little_memory() -> None:
    tracemalloc.start()
    table, like = ScriptTable(), prototypes.__wrapped__()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert table.scripts_of("a") == {"Latn"}
    assert len(like) > 3000
    assert size < 1_500_000
