"""The Unicode tables of the pages are what their generator writes."""

import unicodedata

import pytest
from tools.make_browser_tables import TABLES, TARGET, UNICODE, table


@pytest.mark.skipif(
    unicodedata.unidata_version != UNICODE, reason=f"written by a Python with Unicode {UNICODE}"
)
@pytest.mark.parametrize("name", TABLES)
def test_a_committed_table_is_what_the_tool_writes(name):
    assert (TARGET / name).read_text(encoding="utf-8") == table(name)


def test_there_is_no_other_table():
    assert {path.name for path in TARGET.iterdir()} == TABLES.keys()
