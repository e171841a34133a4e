"""SQL written once means the same to both engines."""

import pytest

from watchword.server.db.dialect import Engine, define, for_postgres, for_sqlite
from watchword.server.db.migrate import list_migrations


def test_names_become_numbers_and_each_name_one_number() -> None:
    sql = "update t set a = :a, b = :b where c = :a"
    assert for_sqlite(sql).text == "update t set a = ?1, b = ?2 where c = ?1"
    assert for_postgres(sql).text == "update t set a = $1, b = $2 where c = $1"
    assert for_postgres(sql).names == ("a", "b")
    assert for_sqlite(sql).bind({"b": 2, "a": 1, "unused": 3}) == (1, 2)


@pytest.mark.parametrize(
    "sql",
    ["select ':a'", 'select ":a"', "select 1 -- :a\n", "select 1 /* :a\n:b */", "select 'it''s :a'"],
)
def test_what_only_looks_like_a_parameter_is_left_alone(sql: str) -> None:
    assert for_sqlite(sql).text == for_postgres(sql).text == sql
    assert for_sqlite(sql).bind({}) == ()


def test_casts_are_for_postgres_only() -> None:
    sql = "select :a::bigint, b::text from t"
    assert for_postgres(sql).text == "select $1::bigint, b::text from t"
    assert for_sqlite(sql).text == "select ?1, b from t"


def test_the_lock_is_for_postgres_only() -> None:
    sql = "select a from t where b = :b {for_update}"
    assert for_postgres(sql).text == "select a from t where b = $1 for update"
    assert for_sqlite(sql).text == "select a from t where b = ?1 "


def test_a_place_in_a_text_is_found_by_each_engine_under_its_own_name() -> None:
    sql = "select a from t where {find}(a, :b) > 0"
    assert for_postgres(sql).text == define(sql, Engine.POSTGRES).replace(":b", "$1")
    assert "strpos(a, $1)" in for_postgres(sql).text
    assert "instr(a, ?1)" in for_sqlite(sql).text


@pytest.mark.parametrize(
    ("sql", "is_select", "gives_rows"),
    [
        ("select 1", True, True),
        ("  -- why\n select 1", True, True),
        ("update t set a = 1", False, False),
        ("update t set a = 1 returning a", False, True),
        ("update t set a = 'returning'", False, False),
        ("insert into t (returning_at) values (1)", False, False),
        ("delete from t", False, False),
    ],
)
def test_what_a_statement_gives_is_known(sql: str, is_select: bool, gives_rows: bool) -> None:
    for statement in (for_sqlite(sql), for_postgres(sql)):
        assert (statement.is_select, statement.gives_rows) == (is_select, gives_rows)


def test_a_missing_parameter_is_an_error_and_never_null() -> None:
    with pytest.raises(KeyError):
        for_sqlite("select :a").bind({})
    with pytest.raises(KeyError):
        for_postgres("select :a, :b").bind({"a": 1})


def test_no_placeholder_is_left_in_any_migration() -> None:
    for migration in list_migrations():
        for engine in Engine:
            assert "{" not in define(migration.sql, engine), migration.name
