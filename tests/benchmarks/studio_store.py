"""A store of ten million joined rows of 23 columns in Parquet, and a tail of lines that is not compacted yet.

A tenth of the rows has a label, and the same tenth the response of its request, in collections of their own.

One hour is collected as a receiver writes it, and compacted. The other hours are its row groups with other times and
ids, in files of their own with manifests of their own. All ids are random, as those of senders are: they do not shrink
in a file, and no statistics of a row group say where one is.

`python tests/benchmarks/studio_store.py` makes it in the folder of the tests' cache, as the case `studio` does.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import otel_modeldata_reader as reader
from otel_modeldata_reader.blobs.compacted_name import compacted_folder
from otel_modeldata_reader.blobs.listing import collections_of
from otel_modeldata_reader.compacted.folder_sources import folder_sources
from otel_modeldata_reader.compacted.part_file import PartFile
from otel_modeldata_reader.compacting.folder_compaction import publish
from otel_modeldata_reader.compacting.part_writer import PartWriter
from otel_modeldata_reader.compacting.row_group_tables import GroupTable
from otel_modeldata_reader.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata_reader.compacted.manifest import Manifest

ROWS: Final = 10_000_000
TAIL: Final = 50_000
DEPLOYMENT: Final = "shop/blue"
FIRST: Final = datetime(2026, 11, 20, tzinfo=UTC)
HOURS: Final = 48
_HOUR_NS: Final = 3_600 * 1_000_000_000
_COUNTRIES: Final = ("ES", "FR", "DE", "IT", "PT", "PL", "SE")
_PLANS: Final = ("basic", "plus", "pro")
_TYPES: Final = {
    "model_inputs": "f8*12,i8*4,s*2,b,M8[us]",
    "model_outputs": "f8,s,i8",
    "ground_truth": "s*2",
    "response": None,
}
"""20 columns of inputs, three of outputs, the row of a label and its value, and a body as a model server answers it."""
EACH: Final = 10
"""Of so many rows one has a label and a response."""
_LATER_NS: Final = {"model_inputs": 0, "model_outputs": 3_000_000, "ground_truth": 5_000_000, "response": 4_000_000}
_BLOCK: Final = 4096
_NEW_IDS: Final = """
WITH digests AS (
    SELECT *, md5(correlationid || $number) AS c, md5(event_id || $number) AS e, md5(traceparent || $number) AS t
    FROM hour
), ids AS (
    SELECT *, left(c, 8) || '-' || c[9:12] || '-4' || c[14:16] || '-a' || c[18:20] || '-' || c[21:] AS new_correlation,
        left(e, 8) || '-' || e[9:12] || '-4' || e[14:16] || '-a' || e[18:20] || '-' || e[21:] AS new_event,
        '00-' || t || '-' || left(t, 16) || '-01' AS new_trace
    FROM digests
)
SELECT new_correlation AS correlationid, new_event AS event_id, new_trace AS traceparent,
    replace(replace(replace(replace(
        _event, correlationid, new_correlation), event_id, new_event), traceparent, new_trace),
        '"timens":"' || before || '"', '"timens":"' || after || '"') AS _event
FROM ids
"""


def make(store: Path, rows: int, tail: int) -> None:
    """Write the store, as far as it is not there; `tail` rows are lines of the last hour."""
    per_hour = rows // HOURS
    for collection in _TYPES:
        done = store / f"made-{rows}-{tail}-{collection}"
        if done.exists():
            continue
        for folder in (store / DEPLOYMENT, store / "_parquet" / DEPLOYMENT):
            shutil.rmtree(folder / collection, ignore_errors=True)
        _write_lines(store, collection, FIRST, "h000", per_hour)
        with reader.open(store) as opened:
            opened.compact(f"{DEPLOYMENT}/{collection}", older=0, drop_lines=True)
        _repeat(store, collection)
        _write_lines(store, collection, FIRST + timedelta(hours=HOURS), f"h{HOURS:03d}", tail)
        done.touch()


def newest_ids(tail: int, count: int) -> list[str]:
    """The row ids of the newest rows, the newest first."""
    return [f"{_uuid(f'h{HOURS:03d}-{number}')}_0" for number in range(tail - 1, tail - 1 - count, -1)]


def _write_lines(store: Path, collection: str, hour: datetime, tag: str, count: int) -> None:
    folder = store / DEPLOYMENT / collection / f"{hour:%Y/%m/%d/%H}"
    folder.mkdir(parents=True, exist_ok=True)
    lines = _lines(collection, hour, tag, count)
    with (folder / f"{0:032x}000000.jsonl").open("w") as blob:
        while block := list(islice(lines, _BLOCK)):
            blob.writelines(block)


def _lines(collection: str, hour: datetime, tag: str, count: int) -> Iterator[str]:
    random = np.random.default_rng(1)
    start = int(hour.timestamp()) * 1_000_000_000
    for number in range(0, count, EACH if collection in {"ground_truth", "response"} else 1):
        time = start + _HOUR_NS * number // count + _LATER_NS[collection]
        name, trace = _uuid(f"{tag}-{number}"), hashlib.md5(f"{tag}-{number}-trace".encode()).hexdigest()
        event = {
            "specversion": "1.0",
            "id": _uuid(f"{tag}-{number}-{collection}"),
            "source": "/endpoints/shop/deployments/blue",
            "type": f"azureml.inference.{collection}",
            "datacontenttype": "application/json",
            "time": f"{hour:%Y-%m-%dT%H}:00:00Z",
            "data": _data(collection, random, name),
            "contentrange": "bytes 0-399/400",
            "correlationid": name,
            "modelversion": "7",
            "timens": str(time),
            "traceparent": f"00-{trace}-{trace[:16]}-01",
            "datatypes": _TYPES[collection],
        }
        if collection == "response":
            del event["datatypes"]
            event |= {"statuscode": "200", "latencyms": str(round(float(random.gamma(4, 5)), 3))}
        yield json.dumps(event, separators=(",", ":")) + "\n"


def _data(collection: str, random: np.random.Generator, name: str) -> Any:
    if collection == "model_inputs":
        return [_inputs(random)]
    if collection == "model_outputs":
        return [_outputs(random)]
    if collection == "ground_truth":
        return [{"row_id": f"{name}_0", "label": "yes" if random.random() < 0.5 else "no"}]
    return {"score": [round(float(random.random()), 6)]}


def _uuid(name: str) -> str:
    """A text with the form and the entropy of a random uuid, always the same one for a name."""
    text = hashlib.md5(name.encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _inputs(random: np.random.Generator) -> dict[str, Any]:
    values = random.normal(40, 12, 12).round(4).tolist()
    row: dict[str, Any] = {f"feature_{at:02d}": value for at, value in enumerate(values)}
    if random.random() < 0.03:
        row["feature_00"] = None
    row |= {f"count_{at}": int(one) for at, one in enumerate(random.integers(0, 1_000, 4))}
    row["country"] = _COUNTRIES[int(random.integers(0, 7))]
    row["plan"] = _PLANS[int(random.integers(0, 3))]
    row["member"] = bool(random.random() < 0.5)
    row["opened"] = f"2026-{random.integers(1, 13):02d}-{random.integers(1, 29):02d}T00:00:00"
    return row


def _outputs(random: np.random.Generator) -> dict[str, Any]:
    score = round(float(random.random()), 6)
    return {"score": score, "decision": "yes" if score > 0.5 else "no", "rank": int(random.integers(0, 10))}


def _repeat(store: Path, collection: str) -> None:
    """The compacted hour as all others."""
    with reader.open(store) as opened:
        access = opened.objects
        found = collections_of(access.walk())[f"{DEPLOYMENT}/{collection}"]
        (source,) = folder_sources(access, found, Window())
        manifest = source.manifest
        assert manifest is not None
        for number in range(1, HOURS):
            hour = FIRST + timedelta(hours=number)
            date = f"{hour:%Y/%m/%d/%H}"
            writer = PartWriter(access, compacted_folder(manifest.root, date), 0, lambda: None)
            for part, group in manifest.groups():
                table = PartFile.opened(access, manifest, part).read(group)
                of_group = part.groups[group]
                writer.add(
                    GroupTable(
                        kind=part.kind,
                        types=part.types,
                        columns=part.columns,
                        table=_shifted(table, number, manifest.date, date),
                        events=of_group.events,
                        first=of_group.first + number * _HOUR_NS,
                        last=of_group.last + number * _HOUR_NS,
                        misplaced=0,
                        size=32 << 20,
                    )
                )
            publish(access, _manifest(manifest, date, writer), lambda: None)


def _shifted(table: pa.Table, number: int, first: str, date: str) -> pa.Table:
    """The same rows some hours later, with other ids: digests of the ids and the number."""
    before = table["time"].cast(pa.int64())
    after = pc.add(before, number * _HOUR_NS)
    blobs = pc.replace_substring(table["_blob"].cast(pa.string()), first, date)
    with duckdb.connect(config={"threads": "1"}) as connection:  # one thread keeps the order
        hour = table.select(["correlationid", "event_id", "traceparent", "_event"])
        connection.register("hour", hour.append_column("before", before).append_column("after", after))
        ids = connection.sql(_NEW_IDS, params={"number": str(number)}).to_arrow_table()
    changed = {"time": after, "_blob": blobs, **{name: ids[name] for name in ids.column_names}}
    row_ids = pc.binary_join_element_wise(ids["correlationid"], "0", "_")
    changed |= {name: row_ids for name in ("row_id", "data.row_id") if name in table.column_names}
    for name, column in changed.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, column.cast(table.schema.field(place).type))
    return table


def _manifest(manifest: Manifest, date: str, writer: PartWriter) -> Manifest:
    blobs = tuple(msgspec.structs.replace(one, name=one.name.replace(manifest.date, date)) for one in manifest.blobs)
    return msgspec.structs.replace(manifest, date=date, number=1, blobs=blobs, parts=writer.finish())


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
    from build_cache import cache_root

    make(cache_root() / f"studio-{ROWS}", ROWS, TAIL)
