"""`keep_freed_memory`: glibc keeps freed memory."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_PAGE_FAULTS = """
import resource
from otel_modeldata.memory_hint import keep_freed_memory
if {hint}:
    keep_freed_memory()
for _ in range(50):
    bytearray(8 * 2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def _page_faults(*, hint: bool) -> int:
    code = _PAGE_FAULTS.format(hint=hint)
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators ignore the hint")
def test_freed_memory_is_reused_without_page_faults() -> None:
    assert _page_faults(hint=True) < _page_faults(hint=False)
