"""The Unicode tables of the pages are what their generator writes."""

import unicodedata

import pytest
from tools.make_browser_tables import TABLES, TARGET, UNICODE, table

from watchword.testing import components


@pytest.mark.parametrize("name", TABLES)
def test_a_committed_table_is_what_the_tool_writes(name):
    if unicodedata.unidata_version != UNICODE:
        which = f"Python with Unicode {UNICODE}"
        components.lacking(which, f"this one has {unicodedata.unidata_version}", packaged=False)
    assert (TARGET / name).read_text(encoding="utf-8") == table(name)


def test_there_is_no_other_table():
    assert {path.name for path in TARGET.iterdir()} == TABLES.keys()
