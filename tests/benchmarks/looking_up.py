"""Cases `lookup` and `ls`: one id among ten million rows, with and without the index, and a listing of 10,000 blobs.

Half of the bytes are events of 1000 rows, the other half events of one row. Each lookup is a process of its own, which
checks the answer. Both bounds are in seconds on the clock, as a user waits for them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from case import Case, Effort, Run, Sides, Target

ROWS: Final = 10_000_000
ROWS_OF_LARGE: Final = 1000
BLOBS: Final = 10_000
_HOURS: Final = 20
_DEPLOYMENT: Final = "shop/blue"
_BLOB: Final = f"{0:032x}000000.jsonl"


def _looks_up(effort: Effort) -> Sides:
    rows = effort.of(ROWS, 40_000)
    with tempfile.TemporaryDirectory() as folder:
        wanted = _write(Path(folder), rows)
        runs = []
        for _ in range(effort.repeat):
            found = {f"scan {name}": value for name, value in _in_process("scan", folder, wanted).items()}
            for file in Path(folder, "_index").glob("*"):
                file.unlink()
            found |= {f"write {name}": value for name, value in _in_process("index", folder, wanted).items()}
            found |= {f"index {name}": value for name, value in _in_process("index", folder, wanted).items()}
            found["index_mb"] = sum(file.stat().st_size for file in Path(folder, "_index").glob("*")) / 1e6
            runs.append(found)
    return {"ours": runs}


def _write(store: Path, rows: int) -> str:
    """Nine rows of ten in events of 1000 rows; returns the id of an event of one row in the middle."""
    large = rows * 9 // 10 // ROWS_OF_LARGE
    many = json.dumps(
        [{"age": number % 90, "amount": number * 0.5, "country": "ES"} for number in range(ROWS_OF_LARGE)]
    )
    one = '[{"age": 41, "amount": 2.5, "country": "ES"}]'
    for collection, count, data in (("model_inputs", large, many), ("features", rows // 10, one)):
        for hour in range(_HOURS):
            folder = store / _DEPLOYMENT / collection / f"2026/11/22/{hour:02d}"
            folder.mkdir(parents=True)
            with (folder / _BLOB).open("w") as blob:
                blob.writelines(
                    _line(f"{collection}-{number}", hour, data)
                    for number in range(hour * count // _HOURS, (hour + 1) * count // _HOURS)
                )
    return f"features-{rows // 20}"


def _line(name: str, hour: int, data: str) -> str:
    return (
        f'{{"specversion":"1.0","id":"event-{name}","source":"/endpoints/shop/deployments/blue",'
        f'"type":"azureml.inference.inputs","datacontenttype":"application/json","time":"2026-11-22T{hour:02d}:00:00Z",'
        f'"data":{data},"contentrange":"bytes 0-9/10","correlationid":"request-{name}","modelversion":"default"}}\n'
    )


def _in_process(act: str, store: str, wanted: str) -> Run:
    command = [sys.executable, str(Path(__file__)), act, store, wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def _lists(effort: Effort) -> Sides:
    blobs = effort.of(BLOBS, 100)
    with tempfile.TemporaryDirectory() as folder:
        line = _line("0", 0, "[]")
        for number in range(blobs):
            hour, collection = divmod(number, 10)
            path = Path(folder, _DEPLOYMENT, f"inputs-{collection}", f"2026/{1 + hour // 672:02d}")
            path /= f"{1 + hour // 24 % 28:02d}/{hour % 24:02d}/{_BLOB}"
            path.parent.mkdir(parents=True)
            path.write_text(line)
        kinds = (("ls", ()), ("count", ("--count",)))
        runs = [{f"{kind} s": _command(folder, blobs, flags) for kind, flags in kinds} for _ in range(effort.repeat)]
    return {"ours": runs}


def _command(folder: str, blobs: int, flags: tuple[str, ...]) -> float:
    """The seconds of `otel-modeldata ls`, with the start of Python."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "otel_modeldata_receiver", "ls", folder, "--json", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    seconds = time.perf_counter() - began
    listed = json.loads(done.stdout)["collections"]
    assert sum(one["blobs"] for one in listed) == blobs
    assert sum(one["events"] or 0 for one in listed) == (blobs if flags else 0)
    return seconds


def main() -> None:
    """Print the seconds, the megabytes a second of CPU, and the kilobytes read of one lookup."""
    import otel_modeldata_reader as reader

    act, folder, name = sys.argv[1:]
    size = sum(path.stat().st_size for path in Path(folder).rglob("*.jsonl"))
    with reader.open(folder) as store:
        cpu, began = time.process_time(), time.perf_counter()
        found = store.show(f"request-{name}_0", index=act == "index")
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        (event,) = found.events
        assert (event.event_id, event.rows) == (f"event-{name}", [{"age": 41, "amount": 2.5, "country": "ES"}])
        figures = {"s": seconds, "cpu_s": cpu} | ({"mb_per_s": size / 1e6 / cpu} if act == "scan" else {})
        if found.scanned == 0:  # another one: the first one has imported modules
            before = _bytes_read()
            assert len(store.show("event-features-0").events) == 1
            figures["read_kb"] = (_bytes_read() - before) / 1000
    print(json.dumps(figures))


def _bytes_read() -> int:
    (line,) = (one for one in Path("/proc/self/io").read_text("ascii").splitlines() if one.startswith("rchar"))
    return int(line.split()[1])


CASES: Final = {
    "lookup": Case(
        about="one id among 10 million rows, by a scan and by the index",
        run=_looks_up,
        targets={"scan mb_per_s": [Target(least=500, absolute=True)], "index s": [Target(most=0.5, absolute=True)]},
    ),
    "ls": Case(
        about="`otel-modeldata ls` of 10,000 blobs",
        run=_lists,
        targets={"ls s": [Target(most=2, absolute=True)]},
    ),
}

if __name__ == "__main__":
    main()
