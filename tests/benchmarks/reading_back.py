"""Cases `read-...`: a store of 200 MB to a frame, beside `pandas.read_json` and `json_normalize` of the same lines.

Each run is a new process. The frames are compared column by column. `batches` and `show` have no peer.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from case import Case, Effort, Run, Sides, Target, in_turn

if TYPE_CHECKING:
    import pandas as pd

MEGABYTES: Final = 200
BLOBS: Final = 8
ROOT: Final = "shop/blue/model_inputs"
_START: Final = 1_795_305_600
"""2026-11-22T00:00:00Z."""


def _reads(rows: int, effort: Effort) -> Sides:
    with tempfile.TemporaryDirectory() as folder:
        write_lines(Path(folder), rows, effort.of(MEGABYTES * 1_000_000, 200_000))
        sides = {side: partial(_in_process, side, folder) for side in ("ours", "pandas")}
        return in_turn(effort.repeat, sides)


def write_lines(store: Path, rows: int, size: int, **keys: str) -> None:
    """Lines of one request after the other, with 23 mixed columns, in one blob an hour; `keys` are further ones."""
    chance = random.Random(1)
    number = 0
    for hour in range(BLOBS):
        folder = store / ROOT / f"2026/11/22/{hour:02d}"
        folder.mkdir(parents=True)
        with (folder / f"{0:032x}000000.jsonl").open("w") as blob:
            while blob.tell() < size / BLOBS:
                blob.write(_line(chance, rows, hour, number, keys))
                number += 1


def _line(chance: random.Random, rows: int, hour: int, number: int, keys: dict[str, str]) -> str:
    seconds = number % 3600
    request = str(uuid.UUID(int=chance.getrandbits(128)))
    event = {
        "specversion": "1.0",
        "id": str(uuid.UUID(int=chance.getrandbits(128))),
        "source": "/endpoints/shop/deployments/blue",
        "type": "azureml.inference.model_inputs",
        "datacontenttype": "application/json",
        "time": f"2026-11-22T{hour:02d}:{seconds // 60:02d}:{seconds % 60:02d}Z",
        "data": [_row(chance) for _ in range(rows)],
        "contentrange": "bytes 0-9/10",
        "correlationid": request,
        "xrequestid": request,
        "modelversion": "default",
        "collectdatatype": "pandas.core.frame.DataFrame",
        "agent": "otel-modeldata/0.1.0",
        "timens": str((_START + hour * 3600 + seconds) * 10**9 + number),
        "traceparent": f"00-{chance.getrandbits(128):032x}-{chance.getrandbits(64):016x}-01",
    }
    return json.dumps(event | keys, separators=(",", ":")) + "\n"


def _row(chance: random.Random) -> dict[str, Any]:
    floats = {f"f{number}": chance.random() * 100 for number in range(13)}
    integers = {f"i{number}": chance.randrange(10_000) for number in range(5)}
    texts = {
        "country": chance.choice(["ES", "FR"]),
        "text": f"words {chance.randrange(1000)}",
        "at": "2026-11-22T10:00",
    }
    return floats | integers | texts | {"is_new": chance.random() < 0.5, "price": round(chance.random(), 3)}


def _in_process(side: str, store: str) -> Run:
    found: Run = {}
    for act in ("to pandas", *(("batches", "show") if side == "ours" else ())):
        command = [sys.executable, str(Path(__file__)), side, act, store]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, done.stderr[-4000:]
        found |= {f"{act} {figure}": value for figure, value in json.loads(done.stdout).items()}
    return found


def main() -> None:
    """Print the CPU seconds and the peak of memory of one run."""
    side, act, store = sys.argv[1:]
    import pandas as pd  # noqa: F401 - imported before the clock starts
    import pyarrow.compute
    import pyarrow.json  # noqa: F401 - likewise

    if side == "ours":
        import otel_modeldata_reader as reader

        reader.open(store).close()  # likewise: what a store imports when it is opened
    size = sum(path.stat().st_size for path in Path(store).rglob("*.jsonl"))
    acts = {"to pandas": _ours, "batches": _batches, "show": _show}
    work = acts[act] if side == "ours" else _pandas
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # from here on VmHWM is the peak (proc(5))
    before, began = memory_mb("VmRSS"), time.process_time()
    result = work(Path(store))
    seconds, peak = time.process_time() - began, memory_mb("VmHWM") - before
    if act == "to pandas":
        _check(result, Path(store), is_exact=side == "ours")
    print(
        json.dumps({"cpu_s": seconds, "peak_mb": peak} | ({"mb_per_s": size / 1e6 / seconds} if act == "show" else {}))
    )


def _ours(store: Path) -> pd.DataFrame:
    import otel_modeldata_reader as reader

    return reader.open(store).read(ROOT).to_pandas()


def _batches(store: Path) -> None:
    import otel_modeldata_reader as reader

    assert sum(batch.num_rows for batch in reader.open(store).read(ROOT).batches()) > 0


def _show(store: Path) -> None:
    import otel_modeldata_reader as reader

    wanted = str(uuid.UUID(int=random.Random(1).getrandbits(128)))
    assert len(reader.open(store).show(wanted, index=False).events) == 1


def _pandas(store: Path) -> pd.DataFrame:
    import pandas as pd

    lines = pd.concat([pd.read_json(path, lines=True) for path in sorted(store.rglob("*.jsonl"))], ignore_index=True)
    rows = lines.explode("data", ignore_index=True)
    own = pd.json_normalize(rows.pop("data").tolist())
    return pd.concat([rows, own], axis=1)


def _check(frame: pd.DataFrame, store: Path, *, is_exact: bool) -> None:
    """The rows equal those that `json` reads; those of pandas only nearly, because it changes the last digits."""
    import pandas as pd

    paths = sorted(store.rglob("*.jsonl"))
    lines = [json.loads(line) for path in (paths[0], paths[-1]) for line in path.open()]
    rows = [row for line in lines for row in line["data"]]
    first = sum(len(json.loads(line)["data"]) for line in paths[0].open())
    found = frame[list(rows[0])].iloc[[*range(first), *range(len(frame) - (len(rows) - first), len(frame))]]
    if is_exact:
        assert found.to_dict("records") == rows
    pd.testing.assert_frame_equal(found.reset_index(drop=True), pd.DataFrame(rows), check_exact=False)


def memory_mb(name: str) -> float:
    status = Path("/proc/self/status").read_text("ascii")
    (line,) = (one for one in status.splitlines() if one.startswith(name))
    return int(line.split()[1]) / 1000


_TARGETS: Final = {
    "to pandas cpu_s": [Target(most=1 / 6)],
    "to pandas peak_mb": [Target(most=1 / 5)],
    "batches peak_mb": [Target(most=300, absolute=True)],
    "show mb_per_s": [Target(least=500, absolute=True)],
}
CASES: Final = {
    "read-small": Case(about="200 MB of lines of 1 row of 23 mixed columns", run=partial(_reads, 1), targets=_TARGETS),
    "read-large": Case(
        about="200 MB of lines of 1000 rows of 23 mixed columns", run=partial(_reads, 1000), targets=_TARGETS
    ),
}

if __name__ == "__main__":
    main()
