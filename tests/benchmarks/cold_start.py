"""Measures a cold start: `python cold_start.py cold JSON` prints the time from the start to the first collected
frame."""

# ruff: noqa: E402 (the time of imports is measured)

from __future__ import annotations

import json
import sys
import time

settings = json.loads(sys.argv[2])
sender = settings["sender"]
began = time.perf_counter()

import pandas as pd

frame = pd.DataFrame(settings.get("cells", {"age": [41]}))
imported, imported_cpu = time.perf_counter(), time.process_time()

if sender == "ours":
    import otel_modeldata

    otel_modeldata.Collector(name="model_inputs").collect(frame)
else:
    from azureml.ai.monitoring import Collector

    Collector(name="model_inputs").collect(frame)
collected, collected_cpu = time.perf_counter(), time.process_time()

if sender == "ours":
    otel_modeldata.flush()
else:
    time.sleep(1.0)  # its worker dies with the process
figures = {
    "first_collect_ms": collected - began,
    "pandas_ms": imported - began,
    "over_pandas_ms": collected - imported,
    "over_pandas_cpu_ms": collected_cpu - imported_cpu,
}
print(json.dumps({name: seconds * 1e3 for name, seconds in figures.items()} | {"sent": 1.0}))
