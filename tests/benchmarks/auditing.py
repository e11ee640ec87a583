"""Case `audit`: lines a CPU second of an audit, of small and large events, again with a memory, and its memory in MB.

Each run is a process of its own. The store of many lines takes no space: one blob of 100,000 lines is read again and
again under other hours, ids and producers; `--full` reads it a thousand times.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Final

from case import Case, Effort, Run, Sides, Target

MEGABYTES: Final = 200
_HOURS: Final = 4
_ROOT: Final = "shop/blue/model_inputs"
_BLOBS: Final = 100
"""Of 100,000 lines each."""


def _audits(effort: Effort) -> Sides:
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in (1, 1000):
            _write(Path(folder, str(rows)), rows, effort.of(MEGABYTES * 1_000_000, 400_000))
        for _ in range(effort.repeat):
            found: Run = {}
            for rows in (1, 1000):
                one = _in_process("audit", str(Path(folder, str(rows))))
                found |= {
                    f"{rows}x23 lines per CPU second": one["lines"] / one["cpu"],
                    f"{rows}x23 MB per CPU second": one["mb"] / one["cpu"],
                }
            _in_process("seal", str(Path(folder, "1")))
            found["again s"] = _in_process("audit", str(Path(folder, "1")))["seconds"]
            for path in Path(folder, "1").glob("_sealed/**/*.*"):
                path.unlink()
            blobs = 1000 if effort.full else effort.of(_BLOBS, 1)
            many = _in_process("repeated", str(blobs))
            found |= {
                "lines": many["lines"],
                "lines per CPU second": many["lines"] / many["cpu"],
                "memory mb": many["rss"],
            }
            runs.append(found)
    return {"ours": runs}


def _write(store: Path, rows: int, size: int) -> None:
    """Events of one producer, one blob an hour, as the receiver writes them."""
    chance = random.Random(1)
    texts = [json.dumps([_row(chance) for _ in range(rows)], separators=(",", ":")) for _ in range(20)]
    number = 0
    for hour in range(_HOURS):
        folder = store / _ROOT / f"2026/11/22/{hour:02d}"
        folder.mkdir(parents=True)
        with (folder / f"{0:032x}000000.jsonl").open("w") as blob:
            while blob.tell() < size / _HOURS:
                blob.write(_line(chance, texts[number % len(texts)], hour, number))
                number += 1


def _row(chance: random.Random) -> dict[str, Any]:
    counts = {f"count_{number}": chance.randrange(100_000) for number in range(12)}
    ratios = {f"ratio_{number}": chance.random() for number in range(8)}
    return counts | ratios | {f"label_{number}": f"value {chance.randrange(1000)}" for number in range(3)}


def _line(chance: random.Random, data: str, hour: int, number: int) -> str:
    request = uuid.UUID(int=chance.getrandbits(128))
    clock = f"{hour:02d}:{number // 60 % 60:02d}:{number % 60:02d}"
    return (
        f'{{"specversion":"1.0","id":"{uuid.UUID(int=chance.getrandbits(128))}",'
        '"source":"/endpoints/shop/deployments/blue","type":"azureml.inference.model_inputs",'
        f'"datacontenttype":"application/json","time":"2026-11-22T{clock}Z",'
        f'"data":{data},"contentrange":"bytes 0-{len(data) - 1}/{len(data)}","correlationid":"{request}",'
        f'"xrequestid":"{request}","modelversion":"default","collectdatatype":"pandas.core.frame.DataFrame",'
        f'"agent":"otel-modeldata/0.2.0","timens":"{1_795_350_896_000_000_000 + number}",'
        '"datatypes":"i8*12,f8*8,s*3","producer":"5d0f2e3c9a5b4c7d8e9f0a1b2c3d4e5f",'
        f'"producersequence":"{number}",'
        f'"traceparent":"00-{chance.getrandbits(128):032x}-{chance.getrandbits(64):016x}-01"}}\n'
    )


def _in_process(act: str, what: str) -> Run:
    command = [sys.executable, str(Path(__file__)), act, what]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3600)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


# --- In a process of its own ------------------------------------------------------------------------------------------


def _act(act: str, what: str) -> Run:
    from otel_modeldata_reader.auditing.audit import Selection, audit
    from otel_modeldata_reader.auditing.records.sealed_memory import HourSummaryMaker
    from otel_modeldata_reader.auditing.records.store_records import StoreRecords
    from otel_modeldata_reader.blobs.listing import collections_of
    from otel_modeldata_reader.blobs.store_access import StoreAccess
    from otel_modeldata_reader.sealing.sealing import seal_collections
    from otel_modeldata_reader.window import Window
    from otel_modeldata_receiver.storage.local import LocalStore

    access = StoreAccess(what)
    if act == "seal":
        found = collections_of(access.walk()).values()
        sealed = list(seal_collections(access, found, Window(), lateness=0.0, observing=HourSummaryMaker))
        return {"hours": len(sealed)}
    if act == "repeated":
        sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
        from repeated_store import RepeatedStore

        store: Any = RepeatedStore(int(what))
        records = None
    else:
        store, records = LocalStore(Path(what)), StoreRecords(access)
    cpu, start = time.process_time(), time.perf_counter()
    done = asyncio.run(audit(store, Selection(), [], lambda *_: None, records=records))
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - start
    assert all(one.is_accounted_for for one in done.reconciliations)
    assert done.ledger.lines == sum(one.stored for one in done.reconciliations)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"lines": done.ledger.lines, "mb": done.size / 1e6, "cpu": cpu, "seconds": seconds, "rss": rss}


CASES: Final = {
    "audit": Case(
        about="lines a CPU second of an audit, and its memory",
        run=_audits,
        targets={
            "1x23 lines per CPU second": [Target(least=550_000, absolute=True)],
            "memory mb": [Target(most=600, absolute=True)],
        },
    )
}


if __name__ == "__main__":
    print(json.dumps(_act(sys.argv[1], sys.argv[2])))
