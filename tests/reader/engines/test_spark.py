"""Spark reads a collection in batches and as a stream: every row once, of every type, wherever it is stored."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from collected_store import collecting
from engine_environment import NO_JAVA, SESSION, EnginePython, spark_variables
from prerequisites import need
from read_lines import COLLECTION, HOUR, line, write
from sealed_store import audited

import otel_modeldata_reader as reader
from otel_modeldata import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azurite import Azurite

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def spark(
    engine_interpreter: Path, azurite: Azurite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EnginePython]:
    """A process with a Spark session; what runs there may open the emulator's account."""
    need("java", NO_JAVA, debian="openjdk-17-jre-headless")
    variables = spark_variables(engine_interpreter) | {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}
    python = EnginePython(engine_interpreter, tmp_path_factory.mktemp("spark"), variables)
    python.start()
    python.run(SESSION)
    yield python
    python.stop()


def load(store: Path | str, reading: str = "read", **options: str) -> str:
    """The program that loads a frame named `frame`."""
    options = {"store": str(store), "collection": COLLECTION} | options
    return f"frame = spark.{reading}.format('modeldata').options(**{options!r}).load()\n"


def stream(store: Path | str, into: Path, **options: str) -> str:
    """The program that writes all new rows of a stream into a folder of JSON files."""
    return load(store, "readStream", **options) + (
        f"query = frame.select('event_id', 'age').writeStream.format('json').option('path', '{into}/rows')"
        f".option('checkpointLocation', '{into}/checkpoint').trigger(availableNow=True).start()\n"
        "query.awaitTermination()\n"
        "answer = query.lastProgress['numInputRows'] if query.lastProgress else 0\n"
    )


def written(spark: EnginePython, into: Path) -> list[tuple[str, Any]]:
    """The rows that a stream has written, as Spark reads them."""
    program = (
        f"rows = spark.read.schema('event_id string, age long').json('{into}/rows').collect()\n"
        "answer = sorted([row.event_id, row.age] for row in rows)"
    )
    return [(event_id, age) for event_id, age in spark.run(program)]


def test_spark_has_the_rows_of_the_reading_also_those_that_are_objects_of_their_own(
    spark: EnginePython, tmp_path: Path
) -> None:
    blob = write(tmp_path, [line(), line(number=1), line(), b"not JSON\n"])
    write(tmp_path, [line(number=1), line(None, number=2, dataref=f"/else/{HOUR}/files/x.json"), b"{"], replica=1)
    (blob.parent / "files").mkdir()
    (blob.parent / "files" / "x.json").write_text(json.dumps([{"age": 7}, {"age": 2.5, "tags": ["a", None]}]))
    found = spark.run(load(tmp_path) + "answer = [row.asDict() for row in frame.orderBy('row_id').collect()]")
    table = reader.open(tmp_path).read(COLLECTION).to_arrow().sort_by("row_id")
    expected = [row | {"time": str(row["time"].floor("us").replace(tzinfo=None))} for row in table.to_pylist()]
    assert found == expected
    assert [row["age"] for row in found] == [0.0, 1.0, 7.0, 2.5]
    counted = "frame.createOrReplaceTempView('rows')\nanswer = spark.sql('SELECT count(*) AS n FROM rows').first().n"
    assert spark.run(counted) == 4


def test_a_frame_has_the_rows_of_the_moment_at_which_it_was_loaded(spark: EnginePython, tmp_path: Path) -> None:
    blob = write(tmp_path, [line()])
    assert spark.run(load(tmp_path) + "answer = frame.count()") == 1
    with blob.open("ab") as file:
        file.write(line([{"other": 1}], number=1))
    assert spark.run("answer = frame.count()") == 1
    assert spark.run(load(tmp_path) + "answer = [frame.count(), frame.columns[-1]]") == [2, "other"]


def test_every_type_keeps_its_values(spark: EnginePython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow")
    from typed_columns import COLUMNS

    from otel_modeldata_reader.engines.plain_types import as_schema, spark_schema

    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=shop,azureml.deployment.name=blue")
    with collecting(tmp_path) as flush:
        for number, column in enumerate(COLUMNS.values()):
            series = pd.Series(column).iloc[:1].reset_index(drop=True)
            Collector(name="types").collect(pd.DataFrame({f"c{number}": series}))
        flush()
    reading = reader.open(tmp_path).read("shop/blue/types", envelope=False)
    table = reading.to_arrow()
    expected = as_schema(table, spark_schema(table.schema))
    file = tmp_path / "types.arrow"
    spark.run(
        load(tmp_path, collection="shop/blue/types", envelope="false")
        + "import pyarrow\ntable = frame.toArrow()\n"
        + f"with pyarrow.ipc.new_file({str(file)!r}, table.schema) as file: file.write(table)"
    )
    with pa.ipc.open_file(file) as found:
        rows = found.read_all().to_pylist()
    assert list(map(str, rows)) == list(map(str, expected.to_pylist()))


def test_a_schema_a_window_and_a_condition_may_be_given(spark: EnginePython, tmp_path: Path) -> None:
    write(tmp_path, [line([{"age": number, "city": "Rome"}], number=number) for number in range(3)])
    write(tmp_path, [line(number=9)], hour="2026/11/22/08")
    options = {"since": "2026-11-22T10", "where": "age > 0"}
    program = load(tmp_path, **options).replace(".load()", ".schema('row_id string, age double').load()")
    found = spark.run(program + "answer = [list(row) for row in frame.orderBy('age').collect()]")
    assert found == [["request-1_0", 1.0], ["request-2_0", 2.0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"collection": "shop/blue/model_input"}, "got 'shop/blue/model_input': did you mean 'shop/blue/model_inputs'"),
        ({"where": "agee > 1"}, "expected a condition in SQL, got 'agee > 1'"),
    ],
)
def test_a_mistake_is_an_error_of_load_with_one_sentence(
    spark: EnginePython, tmp_path: Path, options: dict[str, str], message: str
) -> None:
    write(tmp_path, [line()])
    assert message in spark.error(load(tmp_path, **options))


def test_no_plan_no_log_and_no_checkpoint_has_a_credential(
    spark: EnginePython, azurite: Azurite, tmp_path: Path
) -> None:
    container = azurite.new_container()
    name = f"{COLLECTION}/{HOUR}/{0:032x}000000.jsonl"
    with azurite.open(container) as client:
        client.upload_blob(name, line() + line(number=1), blob_type="AppendBlob")
    assert spark.run(load(f"az://{container}") + "answer = frame.count()") == 2
    assert spark.run(stream(f"az://{container}", tmp_path)) == 2
    plan = spark.run("answer = frame._jdf.queryExecution().toString()")
    assert "modeldata" in plan
    assert azurite.key not in plan + spark.log
    files = [path for path in (tmp_path / "checkpoint").rglob("*") if path.is_file()]
    assert files
    assert not any(azurite.key in path.read_text(errors="replace") for path in files)


def test_a_stream_goes_on_where_its_checkpoint_is(spark: EnginePython, tmp_path: Path) -> None:
    store, into = tmp_path / "store", tmp_path / "out"
    torn = line(number=2)
    blob = write(store, [line(), line(number=1), torn[:-30]])
    assert spark.run(stream(store, into)) == 2
    with blob.open("ab") as file:
        file.write(torn[-30:])
    write(store, [line(number=1), line(number=3)], replica=1)
    write(store, [line(number=4)], hour="2026/11/22/11")
    assert spark.run(stream(store, into)) == 3
    assert spark.run(stream(store, into)) == 0
    assert written(spark, into) == [(f"event-{number}", number) for number in range(5)]


def test_a_new_column_stops_a_stream_and_a_restart_reads_it(spark: EnginePython, tmp_path: Path) -> None:
    store, into = tmp_path / "store", tmp_path / "out"
    write(store, [line()])
    assert spark.run(stream(store, into)) == 1
    program = load(store, "readStream") + (
        f"query = frame.select('event_id', 'age').writeStream.format('json').option('path', '{into}/rows')"
        f".option('checkpointLocation', '{into}/checkpoint').start()\nquery.processAllAvailable()\n"
    )
    spark.run(program)
    write(store, [line([{"age": 1, "new": 2}], number=1)], replica=1)
    message = spark.error("query.processAllAvailable()")
    assert "expected rows of the schema that the reading began with, got the new column 'new' (int64) in" in message
    spark.run(stream(store, into))
    assert written(spark, into) == [("event-0", 0), ("event-1", 1)]


@pytest.fixture
def killed(engine_interpreter: Path, tmp_path: Path) -> Iterator[EnginePython]:
    """A session that the test kills."""
    python = EnginePython(engine_interpreter, tmp_path, spark_variables(engine_interpreter))
    python.start()
    python.run(SESSION)
    yield python
    python.kill()


def test_a_stream_whose_driver_was_killed_neither_loses_nor_repeats(
    spark: EnginePython, killed: EnginePython, tmp_path: Path
) -> None:
    store, into = tmp_path / "store", tmp_path / "out"
    write(store, [line(number=number) for number in range(300)])
    write(store, [line(number=number) for number in range(250, 600)], replica=1)
    start = stream(store, into, max_bytes_per_batch=str(20 * len(line()))).replace("query.awaitTermination()\n", "")
    killed.run(start.replace("answer = query.lastProgress['numInputRows'] if query.lastProgress else 0\n", ""))
    killed.run("import time\nwhile len(query.recentProgress) < 2: time.sleep(0.01)")
    killed.kill()
    spark.run(stream(store, into))
    assert written(spark, into) == sorted((f"event-{number}", number) for number in range(600))


def test_an_audit_on_spark_finds_what_one_process_finds(spark: EnginePython, tmp_path: Path) -> None:
    write(tmp_path, [line(), line(number=1), line(number=1), b"torn\n"])
    write(tmp_path, [line(number=4)], replica=1)
    found = spark.run(
        "from otel_modeldata_reader.engines.spark_audit import audit_on_spark\n"
        f"result = audit_on_spark(spark, {str(tmp_path)!r})\n"
        "ledger = result.ledger\n"
        "locations = (*ledger.unreadable.locations, *ledger.duplicated.locations)\n"
        "places = [[one.blob[-12:], one.line] for one in locations]\n"
        "answer = [ledger.lines, places, [[one.stored, one.gaps] for one in result.reconciliations]]"
    )
    ours = audited(tmp_path, use_seals=False)
    places = [
        [one.blob[-12:], one.line] for one in (*ours.ledger.unreadable.locations, *ours.ledger.duplicated.locations)
    ]
    assert found == [5, places, [[one.stored, list(map(list, one.gaps))] for one in ours.reconciliations]]
    assert len(places) == 2


def test_an_audit_on_spark_takes_no_url_with_a_secret(spark: EnginePython) -> None:
    url = "https://account.blob.core.windows.net/modeldata?sv=2024&sig=hidden"
    program = (
        "from otel_modeldata_reader.engines.spark_audit import audit_on_spark\n"
        "from otel_modeldata_reader.exceptions import ReaderError\n"
        "try:\n"
        f"    audit_on_spark(spark, {url!r})\n"
        "except ReaderError as error:\n"
        "    answer = str(error)\n"
    )
    answer = spark.run(program)
    assert answer.startswith("expected a store whose URL has no secret, got one with a signature")
    assert "hidden" not in answer


def test_spark_reads_the_files_of_compact_hours_directly(spark: EnginePython, tmp_path: Path) -> None:
    write(tmp_path, [line([{"n": number}], number=number, datatypes="i8") for number in range(20)])
    with reader.open(tmp_path) as store:
        store.compact()
    program = f"""
spark.conf.set("spark.sql.legacy.parquet.nanosAsLong", "true")
files = spark.read.option("pathGlobFilter", "part-*.parquet").option("mergeSchema", "true")
frame = files.parquet({str(tmp_path / "_parquet" / COLLECTION)!r})
answer = [frame.selectExpr("sum(n)").first()[0], sorted(set(map(str, frame.select("date", "hour").collect())))]
"""
    total, folders = spark.run(program)
    assert total == sum(range(20))
    assert folders == ["Row(date=datetime.date(2026, 11, 22), hour=10)"]


def test_a_frame_and_a_stream_have_the_rows_of_lines_that_are_compacted_and_dropped(
    spark: EnginePython, tmp_path: Path
) -> None:
    store, into = tmp_path / "store", tmp_path / "into"
    write(store, [line([{"age": number}], number=number, datatypes="i8") for number in range(4)])
    expected = [(f"event-{number}", number) for number in range(4)]
    reader.open(store).compact(older=0, drop_lines=True)
    program = "answer = sorted([row.event_id, row.age] for row in frame.collect())"
    assert spark.run(load(store) + program) == [list(row) for row in expected]
    assert spark.run(stream(store, into)) == 4
    assert written(spark, into) == expected
    write(store, [line([{"age": number}], number=number, datatypes="i8") for number in (3, 4)], replica=1)
    spark.run(stream(store, into))
    reader.open(store).compact(older=0, drop_lines=True)
    spark.run(stream(store, into))
    assert written(spark, into) == [*expected, ("event-4", 4)]
