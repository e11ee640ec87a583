"""What the help of each command imports: little, so that it is there at once. Modules are counted, no time is taken."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from otel_modeldata_receiver.commands.main import _COMMANDS

HEAVY = {"asyncio", "azure", "duckdb", "grpc", "logging", "msgspec", "numpy", "opentelemetry", "pandas", "pyarrow"}
MOST_MODULES = 90
"""That are loaded by a command and not by an empty interpreter; one has about 70."""
OF_THE_CONFIGURATION = {"logging", "msgspec"}
OTHERS = {"receive", "audit", "demo"}
"""The help of `receive` is made of the configuration; the others import it, too."""
LOADED = """
import json, sys
before = set(sys.modules)
from otel_modeldata_receiver.commands.main import main
try:
    main([*sys.argv[1:], "--help"])
except SystemExit:
    pass
print()
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.mark.parametrize("command", sorted(set(_COMMANDS) - OTHERS))
def test_the_help_of_a_command_imports_little(command: str) -> None:
    loaded = loaded_for_the_help_of(command)
    assert heavy(loaded) == set()
    assert len(loaded) <= MOST_MODULES


@pytest.mark.parametrize("command", sorted(OTHERS))
def test_the_help_of_a_command_with_a_configuration_imports_that(command: str) -> None:
    assert heavy(loaded_for_the_help_of(command)) <= OF_THE_CONFIGURATION


def heavy(loaded: list[str]) -> set[str]:
    return HEAVY & {name.partition(".")[0] for name in loaded}


def loaded_for_the_help_of(command: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, command], capture_output=True, text=True, check=True, timeout=60
    )
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    return loaded
