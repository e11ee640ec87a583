"""What `collect` takes is what the stored line gives back."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import pandas as pd
from typed_columns import COLUMNS, UNCOMPARED

from otel_modeldata_reader.types import parse
from otel_modeldata_reader.types.pandas_columns import to_pandas

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 90
COLLECT = """
import pickle, sys
from otel_modeldata import Collector
collector = Collector(name="model_inputs")
for frame in pickle.load(open(sys.argv[1], "rb")):
    collector.collect(frame)
"""


def test_frames_of_every_type_come_back_from_the_lines_of_a_store(tmp_path: Path) -> None:
    # A pickled frame has the byte order of the machine.
    columns = {code: column for code, column in COLUMNS.items() if code[0] != ">"}
    names = [f"column {number}" for number in range(len(columns))]
    frame = pd.DataFrame(dict(zip(names, columns.values(), strict=True)))
    frames = [frame, frame.iloc[:0], pd.DataFrame({"only": [0.5]})]
    (tmp_path / "frames").write_bytes(pickle.dumps(frames))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AZUREML_"))}
    environ["OTEL_MODELDATA_STORE"] = str(tmp_path / "store")
    command = [sys.executable, "-c", COLLECT, str(tmp_path / "frames")]
    subprocess.run(command, env=environ, check=True, timeout=SECONDS)
    (blob,) = (tmp_path / "store").rglob("*.jsonl")
    lines = [json.loads(line) for line in blob.read_bytes().splitlines()]
    assert [line["datatypes"] for line in lines] == [",".join(columns), lines[1]["datatypes"], "f8"]
    data = blob.read_bytes().splitlines()[0].partition(b'"data":')[2].partition(b',"contentrange"')[0]
    table, counts = parse(lines[0]["datatypes"]).read([data], names)
    assert counts == [2]
    again = to_pandas(table)
    for name, code in zip(names, columns, strict=True):
        if not any(word in code for word in ("month_day_nano", *UNCOMPARED)):  # pandas cannot compare them
            pd.testing.assert_series_equal(again[name], frame[name])
    assert list(again.dtypes) == list(frame.dtypes)
