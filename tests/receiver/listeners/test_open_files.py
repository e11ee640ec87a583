"""The limit of open files, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

resource = pytest.importorskip("resource")

CODE = """
import resource, sys
from otel_modeldata_receiver.listeners.open_files import most_open_files, raise_limit

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512))
raise_limit()
print(most_open_files())
"""


def test_the_limit_of_open_files_is_raised_as_far_as_it_may_be() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "512\n"
