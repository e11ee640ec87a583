"""Everything that reads a store gives the same after a compaction as before: with its lines, and without them."""

from __future__ import annotations

import contextlib
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest
from read_lines import NOON_NS, line, write
from stored_spans import child, write_spans

import otel_modeldata_reader as reader
from otel_modeldata_reader.exporting import to_csv, to_delta, to_parquet
from otel_modeldata_reader.following import follow as follow_module

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from azurite import Azurite

INPUTS, OUTPUTS, LABELS = "shop/blue/model_inputs", "shop/blue/model_outputs", "shop/blue/ground_truth"
LATER = "2026/11/22/11"
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
HOUR_NS = 3_600_000_000_000


def typed(number: int, rows: list[dict[str, Any]] | None = None, types: str = "i8,s,f8", **keys: Any) -> bytes:
    rows = [{"age": number, "country": f"C{number % 3}", "score": number / 3}] if rows is None else rows
    return line(rows, number=number, datatypes=types, producer="p", producersequence=str(number), **keys)


def write_inputs(store: Path) -> None:
    two = [{"age": 1, "country": "ES", "score": 0.5}, {"age": 2, "country": None, "score": None}]
    lines = [typed(0), typed(1, two, traceparent=TRACEPARENT), *map(typed, range(2, 40))]
    lines += [typed(3), b"no line\n", line([{"age": 40, "more": [1, {"a": "b"}]}], number=40)]  # a duplicate; no types
    lines += [line(None, number=41, dataref="files/rows.json", datatypes="i8,s,f8")]
    lines += [typed(42, [{"age": 1.5, "country": "ES", "score": 1.0}], "f8,s,f8")]
    blob = write(store, lines)
    (blob.parent / "files").mkdir()
    (blob.parent / "files" / "rows.json").write_bytes(b'[{"age": 41, "country": "FR", "score": 2.5}]')
    write(store, [typed(number) for number in (50, 4, 51)], replica=1)
    later = [
        typed(60 + number, time="2026-11-22T11:00:00Z", timens=str(NOON_NS - HOUR_NS + number)) for number in (0, 1)
    ]
    write(store, [*later, typed(2, time="2026-11-22T11:00:00Z", timens=str(NOON_NS - HOUR_NS + 9))], hour=LATER)


def write_others(store: Path) -> None:
    outputs = [
        line([{"label": number % 2 == 0}] * (2 if number == 1 else 1), number=number, datatypes="b")
        for number in range(42)
    ]
    write(store, outputs, collection=OUTPUTS)
    labels = [
        line(
            [{"row_id": f"request-{number}_0", "fraud": number % 3 == 0}],
            number=number,
            id=f"label-{number}",
            correlationid=f"label-{number}",
        )
        for number in range(5)
    ]
    write(store, labels, collection=LABELS)
    write(
        store,
        [line("body", number=1, id="payload", path="/score", method="POST", type="azureml.inference.request")],
        collection="shop/blue/request",
    )


def original(store: Path) -> None:
    write_inputs(store)
    write_others(store)
    write_spans(store, child("POST /score", 1, end=9), child("model", 2, parent=1, start=1, end=5))


def kept(store: Path) -> None:
    reader.open(store).compact(older=0)


def dropped(store: Path) -> None:
    reader.open(store).compact(older=0, drop_lines=True)


LATE = [typed(7), *map(typed, range(70, 73))]


def late_lines(store: Path, compact: Callable[[Path], None]) -> None:
    """Lines that come after the compaction: in a new blob, and in one that was compacted and may be gone."""
    compact(store)
    write(store, LATE, replica=2)


STATES: dict[str, tuple[Callable[[Path], None], bool]] = {
    "kept": (kept, False),
    "dropped": (dropped, False),
    "kept, then late lines": (lambda store: late_lines(store, kept), True),
    "dropped, then late lines": (lambda store: late_lines(store, dropped), True),
    "dropped twice": (lambda store: (late_lines(store, dropped), dropped(store))[0], True),
}


def comparable(table: pa.Table) -> pa.Table:
    return table.unify_dictionaries()


def shown(store: reader.Store, wanted: str) -> Any:
    found = store.show(wanted)
    events = [(replace(event, content=b""), event.rows) for event in found.events]
    return [events, [span.name for span in found.spans], found.size, found.notes]


class LookedOnceError(Exception):
    """A following has read everything that there is."""


def followed(store: reader.Store, **options: Any) -> list[Any]:
    """The rows that a following begins with, in the order of their ids."""

    def stop(_: float) -> None:
        raise LookedOnceError

    rows: list[Any] = []
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(LookedOnceError):
        patch.setattr(follow_module.time, "sleep", stop)
        for new in store.follow(INPUTS, **options):
            rows += new.table.select(["event_id", "age"]).to_pylist()
    found = [(row["event_id"], float(row["age"])) for row in rows]
    return found if "last" in options else sorted(found)


def partitions(store: reader.Store, schema: pa.Schema | None = None) -> Any:
    plan = store.read(INPUTS).plan(schema)
    again = pickle.loads(pickle.dumps(plan.partitions))
    batches = [batch for one in again for batch in one.batches()]
    return [pa.Table.from_batches(batches, plan.schema), plan.report.lines, plan.report.duplicates, plan.nullable]


def exported(store: reader.Store, folder: Path) -> Any:
    inputs = store.read(INPUTS)
    to_parquet(inputs, folder / "rows.parquet")
    to_csv(inputs, folder / "rows.csv")
    to_delta(inputs, folder / "delta", report=lambda _: None)
    files = [pd.read_parquet(path) for path in (folder / "delta").rglob("*.parquet")]
    delta = pd.concat(files).sort_values("row_id", ignore_index=True)
    return [pd.read_parquet(folder / "rows.parquet"), (folder / "rows.csv").read_bytes(), delta]


def counted(store: reader.Store) -> Any:
    return [
        replace(one, blobs=0, size=0, compacted=0, last_write=None, rows=None if one.name == INPUTS else one.rows)
        for one in store.collections(count=True)
    ]


GIVEN = pa.schema([("event_id", pa.string()), ("age", pa.float64()), ("country", pa.string())])
RESULTS: dict[str, Callable[[reader.Store, Path], Any]] = {
    "arrow": lambda store, _: comparable(store.read(INPUTS).to_arrow()),
    "pandas": lambda store, _: store.read(INPUTS).to_pandas(),
    "polars": lambda store, _: store.read(INPUTS).to_polars().to_pandas(),
    "no envelope": lambda store, _: comparable(store.read(INPUTS, envelope=False).to_arrow()),
    "window": lambda store, _: comparable(store.read(INPUTS, "2026-11-22T10:30").to_arrow()),
    "columns": lambda store, _: comparable(store.read(INPUTS, columns=["score", "event_id"]).to_arrow()),
    "where": lambda store, _: store.read(INPUTS, where="age > 7 AND country = 'C1'", columns=["score"]).to_pandas(),
    "report": lambda store, _: replace(store.read(INPUTS).report, blobs=0, size=0, first=()),
    "plan": lambda store, _: partitions(store),
    "plan with a schema": lambda store, _: partitions(store, GIVEN),
    "lazy polars": lambda store, _: store.read(INPUTS).scan_polars().select("age", "event_id").collect().to_pandas(),
    "duckdb": lambda store, _: store.read(INPUTS).to_duckdb().filter("age > 3").df(),
    "dask": lambda store, _: store.read(INPUTS).to_dask().compute().reset_index(drop=True),
    "join": lambda store, _: store.join("shop/blue", labels=True, how="outer").to_pandas(),
    "label history": lambda store, _: store.join("shop/blue", labels=True, history=True).to_pandas(),
    "query": lambda store, _: store.query("SELECT * FROM joined ORDER BY row_id").to_pandas(),
    "other collections": lambda store, _: [
        store.read(name).to_pandas() for name in (OUTPUTS, LABELS, "shop/blue/request", "credit/blue/app_spans")
    ],
    "exports": exported,
    "ls": lambda store, _: counted(store),
    "mlflow": lambda store, _: store.read(INPUTS).to_mlflow_dataset().digest,
    "correlation id": lambda store, _: shown(store, "request-1"),
    "row id": lambda store, _: shown(store, "request-1_1"),
    "event id": lambda store, _: shown(store, "label-3"),
    "row id of a label": lambda store, _: shown(store, "request-2_0"),
    "trace id": lambda store, _: shown(store, TRACE),
    "payload elsewhere": lambda store, _: shown(store, "request-41"),
    "followed from the beginning": lambda store, _: followed(store, since="2026-11-01"),
    "followed from a time": lambda store, _: followed(store, since="2026-11-22T10:30"),
    "followed from the last rows": lambda store, _: followed(store, last=5),
    "followed from many last rows": lambda store, _: followed(store, last=1000),
    "without types": lambda store, _: shown(store, "request-40"),
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """For each state a store that was never compacted, and one of the same lines that was."""
    found = {}
    for name, (compact, has_late_lines) in STATES.items():
        before, after = tmp_path_factory.mktemp("before"), tmp_path_factory.mktemp("after")
        for store in (before, after):
            original(store)
        if has_late_lines:
            write(before, LATE, replica=2)
        compact(after)
        found[name] = (before, after)
    return found


def assert_equal(found: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_equal(one, other)
    elif isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    elif isinstance(expected, pa.Table):
        assert found.schema.equals(expected.schema, check_metadata=True)
        assert found.to_pylist() == expected.to_pylist()
    else:
        assert found == expected


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("result", RESULTS)
def test_a_compacted_store_gives_the_same(
    stores: dict[str, tuple[Path, Path]], tmp_path: Path, state: str, result: str
) -> None:
    found = []
    for name, path in zip(("before", "after"), stores[state], strict=True):
        (tmp_path / name).mkdir()
        with reader.open(path) as store:
            found.append(RESULTS[result](store, tmp_path / name))
    before, after = found
    assert_equal(after, before)


IN_AZURE = (
    "arrow",
    "plan",
    "join",
    "query",
    "ls",
    "correlation id",
    "payload elsewhere",
    "followed from the beginning",
)


def test_a_compacted_container_gives_the_same(
    tmp_path: Path, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    container = azurite.new_container()
    original(tmp_path)
    with azurite.open(container) as client:
        for path in sorted(tmp_path.rglob("*")):
            if path.is_file():
                kind = "AppendBlob" if path.suffix == ".jsonl" else "BlockBlob"
                client.upload_blob(str(path.relative_to(tmp_path)), path.read_bytes(), blob_type=kind)
        with reader.open(f"az://{container}") as store:
            before = {name: RESULTS[name](store, tmp_path) for name in IN_AZURE}
            (two, *others) = store.seal(INPUTS, lateness=0)
            assert (two.is_new, len(others)) == (True, 1)
            store.compact(older=0, drop_lines=True)
            left = [name for name in client.list_blob_names() if name.endswith(".jsonl") and name.startswith("shop")]
            assert left == []
            after = {name: RESULTS[name](store, tmp_path) for name in IN_AZURE}
            assert [one.state for one in store.sealed(INPUTS)] == ["sealed", "sealed"]
            assert_equal(
                comparable(store.read(INPUTS, sealed=True).to_arrow()), comparable(store.read(INPUTS).to_arrow())
            )
    for name in IN_AZURE:
        assert_equal(after[name], before[name])
