"""An audit of a million lines, of which some are in two hours: memory does not grow with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_AUDIT = """
import asyncio, resource, sys
sys.path.insert(0, sys.argv[2])
from repeated_store import RepeatedStore
from otel_modeldata_reader.auditing import audit as audit_run
from otel_modeldata_reader.auditing.audit import Selection, audit

store = RepeatedStore(int(sys.argv[1]), repeated=7)
done = asyncio.run(audit(store, Selection(), [], lambda *_: None))
stored = sum(one.stored for one in done.reconciliations)
gaps = [one.gaps for one in done.reconciliations if one.gaps]
lines = [one.line for one in done.ledger.duplicated.locations]
print(done.ledger.lines, stored, done.ledger.duplicated.count, lines, gaps)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


def _audited(blobs: int) -> tuple[str, int]:
    fixtures = str(Path(__file__).parents[2] / "fixtures")
    command = [sys.executable, "-c", _AUDIT, str(blobs), fixtures]
    result, megabytes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return result, int(megabytes)


def test_memory_does_not_grow_with_the_lines_of_a_store() -> None:
    _, few = _audited(2)
    result, many = _audited(10)
    assert result == "1000000 999993 7 [1, 2, 3, 4, 5, 6, 7] [[(0, 6)]]", "a copy under another producer fills no gap"
    assert many < few + 150, "megabytes: a run of two million ids is sorted in memory at once"
