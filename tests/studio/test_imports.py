"""What Studio imports until its first answers are there: nothing that is slow and that they do not need.

Without bytecode, as in most images of containers, pandas takes longer to import than all of Studio.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from read_lines import line, write

if TYPE_CHECKING:
    from pathlib import Path

_NEVER = {"azure", "grpc", "pandas"}
_LATER = {"google", "opentelemetry"}
"""An audit of a small store needs them, which begins after the first answers."""
_ANSWERS = """
import json, sys
import otel_modeldata_reader as reader
import otel_modeldata_studio.web.app, otel_modeldata_studio.web.server
from otel_modeldata_studio.screens import explore, home, request
from otel_modeldata_studio.studio import Studio

at_start = sorted(sys.modules)
of = {"deployment": "shop/blue"}
with reader.open(sys.argv[1]) as store:
    studio = Studio(store)
    home.home(studio)
    rows = explore.rows(studio, **of).rows
    counts = [explore.volume(studio, **of).total, len(explore.facets(studio, **of).facets)]
    values = len(request.request(studio, id=rows[0].id.rpartition("_")[0]).rows)
    studio.close()
assert [rows[0].label, rows[0].status, rows[0].latency_ms] == ["yes", 200, 12.5], rows[0]
print(json.dumps([len(rows), *counts, values, at_start, sorted(sys.modules)]))
"""


def test_home_explore_and_request_need_no_slow_library(tmp_path: Path) -> None:
    keys = {"datatypes": "i8,f8,s,b", "traceparent": "00-00000000000000000000000000000001-0000000000000001-01"}
    data = [{"age": 1, "score": 0.5, "country": "ES", "member": True}]
    write(tmp_path, [line(data, number=number, **keys) for number in range(3)])
    label = [{"row_id": "request-2_0", "label": "yes"}]
    write(tmp_path, [line(label, datatypes="s*2")], collection="shop/blue/ground_truth")
    answered = {"statuscode": "200", "latencyms": "12.5"}
    write(tmp_path, [line({"score": [0.5]}, number=2, **answered)], collection="shop/blue/response")

    done = subprocess.run([sys.executable, "-c", _ANSWERS, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *counts, at_start, modules = json.loads(done.stdout)
    assert counts == [3, 3, 6, 1]
    assert sorted((_NEVER | _LATER) & set(at_start)) == []
    assert sorted(_NEVER & set(modules)) == []
