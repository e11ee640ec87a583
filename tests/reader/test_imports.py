"""What `import otel_modeldata_reader` imports: nothing that is slow, so that a command line may import it."""

from __future__ import annotations

import json
import subprocess
import sys

SLOW = {"asyncio", "azure", "duckdb", "msgspec", "numpy", "otel_modeldata", "pandas", "polars", "pyarrow", "rich"}
IMPORTED = "import json, sys, otel_modeldata_reader; print(json.dumps([one.split('.')[0] for one in sys.modules]))"


def test_importing_the_reader_imports_no_slow_library() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True, timeout=60)
    assert SLOW.isdisjoint(json.loads(done.stdout))
