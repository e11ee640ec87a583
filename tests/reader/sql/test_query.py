"""`Store.query`: which tables there are, what is read, and what SQL may not do."""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

import pytest
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import ReaderError, UnknownNameError, WindowError
from otel_modeldata_reader.sql import database

if TYPE_CHECKING:
    from pathlib import Path

GREEN = "shop/green/model_inputs"


def rows_of(store: Path, sql: str, *window: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = reader.open(store).query(sql, *window).to_arrow().to_pylist()
    return rows


def write_two(store: Path) -> None:
    """Two deployments whose collections have the same name, and columns of other types."""
    write(store, [line([{"age": 7, "country": "ES"}, {"age": 8, "country": "FR"}]), line([{"age": 9}], number=1)])
    write(store, [line([{"age": "old"}], number=2)], collection=GREEN)
    write(store, [line([{"score": 0.5}, {"score": 0.25}], number=0)], collection="shop/blue/model_outputs")


def test_a_collection_has_its_whole_name_and_short_ones(tmp_path: Path) -> None:
    write_two(tmp_path)
    for name in (
        '"shop/blue/model_inputs"',
        '"SHOP/blue/Model_Inputs"',
        "shop_blue.model_inputs",
        "main.model_outputs",
    ):
        assert rows_of(tmp_path, f"SELECT count(*) AS n FROM {name}") == [{"n": 2 + ("inputs" in name.casefold())}]
    assert rows_of(tmp_path, "SELECT age FROM shop_green.model_inputs") == [{"age": "old"}]
    sql = 'SELECT b.age, g.age AS other FROM shop_blue.model_inputs b, "shop/green/model_inputs" g WHERE b.age > 7'
    assert rows_of(tmp_path, sql) == [{"age": 8, "other": "old"}, {"age": 9, "other": "old"}]


def test_a_table_can_be_read_many_times_in_one_statement(tmp_path: Path) -> None:
    write_two(tmp_path)
    sql = """
        WITH old AS (SELECT * FROM shop_blue.model_inputs WHERE age > 7)
        SELECT a.age, (SELECT max(age) FROM "shop/blue/model_inputs") AS top FROM old a JOIN old b USING (row_id)
    """
    assert rows_of(tmp_path, sql) == [{"age": 8, "top": 9}, {"age": 9, "top": 9}]


def test_only_the_collections_that_the_statement_names_are_read(tmp_path: Path) -> None:
    write_two(tmp_path)
    write(tmp_path, [b"torn"], collection=GREEN)
    query = reader.open(tmp_path).query("SELECT count(*) FROM shop_blue.model_inputs")
    assert list(query.reports) == ["shop/blue/model_inputs"]
    assert query.reports["shop/blue/model_inputs"].is_clean
    (report,) = reader.open(tmp_path).query("SELECT 1 AS one FROM shop_green.model_inputs").reports.values()
    assert report.torn == 1
    assert reader.open(tmp_path).query("SELECT 1 AS one").reports == {}


def test_a_whole_row_can_be_selected_as_a_structure(tmp_path: Path) -> None:
    write_two(tmp_path)
    (row,) = rows_of(tmp_path, "SELECT i FROM shop_green.model_inputs AS i")
    assert (row["i"]["age"], row["i"]["endpoint"]) == ("old", "shop")
    assert rows_of(tmp_path, "SELECT any_value(i.age) AS a FROM shop_green.model_inputs AS i") == [{"a": "old"}]


def test_tables_are_listed_without_reading_any(tmp_path: Path) -> None:
    write_two(tmp_path)
    query = reader.open(tmp_path).query("SHOW TABLES")
    assert query.to_arrow().column(0).to_pylist() == [
        *("joined", "model_outputs", "shop/blue/joined"),
        *("shop/blue/model_inputs", "shop/blue/model_outputs", "shop/green/model_inputs"),
    ]
    assert query.reports == {}
    sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop_blue' ORDER BY ALL"
    assert [row["table_name"] for row in rows_of(tmp_path, sql)] == ["joined", "model_inputs", "model_outputs"]


def test_the_columns_of_a_table_are_described(tmp_path: Path) -> None:
    write_two(tmp_path)
    for sql in ("DESCRIBE shop_blue.model_inputs", "DESCRIBE SELECT * FROM shop_blue.model_inputs"):
        types = {row["column_name"]: row["column_type"] for row in rows_of(tmp_path, sql)}
        assert types["age"] == "BIGINT"
        assert list(types)[:3] == ["row_id", "correlationid", "time"]
    assert len(rows_of(tmp_path, "SUMMARIZE model_outputs")) == 10
    assert len(rows_of(tmp_path, "EXPLAIN SELECT * FROM model_outputs")) == 1


def test_a_window_is_one_of_event_time(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    write(tmp_path, [line(number=1, timens=str(1_795_348_800_000_000_000))], hour="2026/11/22/12")
    assert rows_of(tmp_path, "SELECT age FROM model_inputs", "2026-11-22T11:00") == [{"age": 1}]
    assert rows_of(tmp_path, "SELECT age FROM model_inputs", None, "2026-11-22T11:00") == [{"age": 0}]


def test_without_rows_each_column_is_possible(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    sql = "SELECT age, country FROM model_inputs WHERE age > 40 AND country = 'ES' AND time > '2026-01-01'"
    table = reader.open(tmp_path).query(sql, since="2030-01-01").to_arrow()
    assert (table.num_rows, table.column_names) == (0, ["age", "country"])
    assert rows_of(tmp_path, "SELECT sum(age) AS s, count(*) AS n FROM model_inputs", "2030-01-01") == [
        {"s": None, "n": 0}
    ]


def test_joined_rows_are_those_of_join(tmp_path: Path) -> None:
    write_two(tmp_path)
    store = reader.open(tmp_path)
    expected = store.join("shop/blue", labels=True)
    for name in ("joined", "shop_blue.joined", '"shop/blue/joined"'):
        query = store.query(f"FROM {name}")
        assert query.to_arrow().equals(expected.table)
        assert query.joins == {"shop/blue": expected.report}
        assert query.reports == {
            "shop/blue/model_inputs": expected.inputs,
            "shop/blue/model_outputs": expected.outputs,
        }
    sql = "SELECT avg(score) AS mean FROM joined WHERE age >= 7"
    assert rows_of(tmp_path, sql) == [{"mean": 0.375}]


def test_columns_with_one_name_are_numbered(tmp_path: Path) -> None:
    write_two(tmp_path)
    sql = "SELECT a.age, b.age FROM shop_blue.model_inputs a JOIN shop_blue.model_inputs b USING (row_id) LIMIT 1"
    assert rows_of(tmp_path, sql) == [{"age": 7, "age_1": 7}]


HOSTILE = ['a"b', "a'; DROP TABLE x; --", "mödel inputs", "select", "x y", "日本", "a.b", "main", "rows"]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_of_a_folder_or_a_column_can_be_quoted(tmp_path: Path, name: str) -> None:
    write(tmp_path, [line([{name: 1, "other": 2}])], collection=f"sh op/{name}/{name}")
    whole = f"sh op/{name}/{name}".replace('"', '""')
    column = name.replace('"', '""')
    assert rows_of(tmp_path, f'SELECT "{column}" FROM "{whole}"') == [{name: 1}]
    assert whole.replace('""', '"') in [row["name"] for row in rows_of(tmp_path, "SHOW TABLES")]


def test_names_that_differ_in_case_only_are_numbered(tmp_path: Path) -> None:
    write(tmp_path, [line([{"a": 1}])], collection="s/b/x")
    write(tmp_path, [line([{"a": 2}])], collection="s/b/X")
    assert rows_of(tmp_path, 'SELECT a FROM "s/b/X"') == [{"a": 2}]
    assert rows_of(tmp_path, 'SELECT a FROM "s/b/x_2"') == [{"a": 1}]
    with pytest.raises(UnknownNameError):
        rows_of(tmp_path, "FROM x")


def test_the_folder_of_one_collection_is_the_table_rows(tmp_path: Path) -> None:
    write(tmp_path, [line([{"a": 1}])])
    assert rows_of(tmp_path / "shop/blue/model_inputs", "SELECT a FROM rows") == [{"a": 1}]


@pytest.mark.parametrize(
    ("sql", "kind", "message"),
    [
        ("", ReaderError, "expected one statement in SQL, got none: "),
        ("SELECT 1; SELECT 2", ReaderError, "expected one statement in SQL, got 2: "),
        ("SELEC 1", ReaderError, 'got one that DuckDB cannot read: syntax error at or near "SELEC"'),
        ("DROP TABLE model_inputs", ReaderError, "expected a statement that reads, got DROP: write SELECT"),
        ("PIVOT model_inputs ON age", ReaderError, "expected a PIVOT with its values"),
        ("FROM model_input", UnknownNameError, "got 'model_input': did you mean 'model_inputs'"),
        ("FROM shop_red.model_inputs", UnknownNameError, "got 'shop_red.model_inputs': did you mean "),
        ("SHOW model_input", UnknownNameError, "did you mean 'model_inputs'"),
        ("SELECT agee FROM model_inputs", UnknownNameError, "got 'agee': did you mean 'age'?"),
        ("SELECT sum(row_id) FROM model_inputs", ReaderError, "No function matches the given name and argument types"),
        ("SELECT 'a'::INTEGER AS b FROM model_inputs", ReaderError, "Could not convert string 'a' to INT32"),
        ("SELECT '\ud800'", ReaderError, "which is no text of Unicode"),
        ("UPDATE EXTENSIONS", ReaderError, "expected a statement that reads, got "),
        ("EXPLAIN -- it\n DROP TABLE model_inputs", ReaderError, "expected a statement that reads, got "),
        ("SELECT '1'::BIGNUM AS b", ReaderError, "got 'b': write CAST(b AS VARCHAR) AS b"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, sql: str, kind: type[ReaderError], message: str) -> None:
    write(tmp_path, [line()])
    with pytest.raises(kind) as refused:
        rows_of(tmp_path, sql)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert type(refused.value) is kind


def test_a_reversed_window_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    with pytest.raises(WindowError):
        reader.open(tmp_path).query("FROM model_inputs", "2026-11-22", "2026-11-21")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM '{file}'",
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM read_json('{file}')",
        "SELECT * FROM read_blob('{file}')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM sniff_csv('{file}')",
        "SELECT * FROM query('SELECT * FROM read_text(''{file}'')')",
        "SELECT getenv('HOME')",
        "SELECT * FROM hostile_variable",
        "SELECT * FROM query('FROM hostile_variable')",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "ATTACH '{folder}/out.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "EXPORT DATABASE '{folder}/out'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/out.csv'",
        "SET enable_external_access = true",
        "SET memory_limit = '1TB'",
        "PRAGMA memory_limit = '1TB'",
        "CALL pragma_version()",
        "SELECT * FROM 'https://example.com/x.parquet'",
    ],
)
def test_sql_reaches_nothing_but_the_store(tmp_path: Path, sql: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("secret\n1\n", "utf-8")
    store = tmp_path / "store"
    write(store, [line()])
    hostile_variable = [{"a": 1}]
    with pytest.raises(ReaderError) as refused:
        rows_of(store, sql.format(file=file, folder=tmp_path))
    assert "\n" not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.csv", "store"]
    assert hostile_variable


def test_temporary_files_are_gone_also_when_a_query_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "store", [line([{"a": 1}] * 100)])
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    batches = reader.open(tmp_path / "store").query("FROM model_inputs").batches()
    assert next(batches).num_rows == 100
    assert len(list(temporary.iterdir())) == 1
    batches.close()  # type: ignore[attr-defined]
    assert list(temporary.iterdir()) == []


def test_nanoseconds_and_zones_are_exact_in_conditions(tmp_path: Path) -> None:
    write(tmp_path, [line(number=1), line(number=2)])
    sql = "SELECT epoch_ns(time) AS ns FROM model_inputs WHERE time > '2026-11-22 10:00:00.000000001+00'"
    assert rows_of(tmp_path, sql) == [{"ns": 1_795_341_600_000_000_002}]


def test_a_store_that_cannot_be_read_is_the_error_of_the_reader(tmp_path: Path) -> None:
    with pytest.raises(reader.StoreUnavailableError):
        reader.open(tmp_path / "missing").query("SELECT 1")


@pytest.mark.parametrize("before", ["", "-- a\n", "/* a\n b */ ", "-- a\n\n-- b\n"])
@pytest.mark.parametrize("explain", ["EXPLAIN", "explain analyze", "EXPLAIN (FORMAT JSON)", "EXPLAIN /* a */"])
def test_comments_and_options_are_part_of_an_explanation(tmp_path: Path, before: str, explain: str) -> None:
    write(tmp_path, [line()])
    (row,) = rows_of(tmp_path, f"{before}{explain} SELECT age FROM model_inputs")
    assert "model_inputs" in row["explain_value"]


def test_a_sample_of_a_table_can_be_taken(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    assert rows_of(tmp_path, "SELECT age FROM model_inputs TABLESAMPLE 100%") == [{"age": 0}]


def test_a_nested_time_that_python_does_not_have_is_one_sentence(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    query = reader.open(tmp_path).query("SELECT [DATE '99999-01-01'] AS days")
    with pytest.raises(ReaderError, match=r"years 1 to 9999 in lists .*: call to_arrow\(\)"):
        query.to_pandas()


@pytest.mark.parametrize(
    ("python", "cure"),
    [
        ((3, 10, 13), "it needs Python 3.11, and this is 3.10, so use Python 3.11, or Store.read(where=...)"),
        ((3, 12, 0), "pip install --upgrade duckdb"),
    ],
)
def test_an_old_duckdb_is_refused_with_what_helps(
    monkeypatch: pytest.MonkeyPatch, python: tuple[int, ...], cure: str
) -> None:
    version = namedtuple("version", ["major", "minor", "micro"])(*python)  # noqa: PYI024
    monkeypatch.setattr("sys.version_info", version)
    monkeypatch.setattr("duckdb.__version__", "1.5.6")
    with pytest.raises(ReaderError) as caught:
        database.check_duckdb()
    assert str(caught.value) == f"expected DuckDB 2.0 or later, got 1.5.6: {cure}"
