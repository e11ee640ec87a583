"""Measures a cold start: `python cold_start.py cold JSON` prints the time from the start to the first collected
frame."""

# ruff: noqa: E402 (the time of imports is measured)

from __future__ import annotations

import time

began = time.perf_counter()

import pandas as pd

frame = pd.DataFrame({f"feature_{n}": [n / 7] for n in range(23)})
imported = time.perf_counter()

import json
import sys

sender = json.loads(sys.argv[2])["sender"]
if sender == "ours":
    import otel_modeldata

    otel_modeldata.Collector(name="model_inputs").collect(frame)
elif sender == "official":
    from azureml.ai.monitoring import Collector

    Collector(name="model_inputs").collect(frame)
collected = time.perf_counter()

if sender == "ours":
    otel_modeldata.flush()
elif sender == "official":
    time.sleep(1.0)  # its worker dies with the process
sent = float(sender != "none")
print(json.dumps({"first_collect_ms": (collected - began) * 1e3, "pandas_ms": (imported - began) * 1e3, "sent": sent}))
