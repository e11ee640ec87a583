"""Errors of the demo: the command ends with exit code 1.

```
DemoError
├── ProcessEndedError  a process of the demo ended too early, or did not begin to listen
└── ServiceError       the service did not answer, or with an error
```
"""

from __future__ import annotations

from otel_modeldata_reader.printable import printable


class DemoError(Exception):
    """Root of the tree above."""


class ProcessEndedError(DemoError):
    """A process of the demo ended too early, or did not begin to listen."""

    def __init__(self, name: str, got: str, last_line: str) -> None:
        super().__init__(
            f"expected {name} to run, got {got} and the last line {printable(last_line)!r}: "
            "see whether its packages fit: pip install --upgrade 'otel-modeldata[demo]'"
        )


class ServiceError(DemoError):
    """The service did not answer, or with an error."""

    def __init__(self, got: str) -> None:
        super().__init__(f"expected the service to score a flight, got {printable(got)}: please report it")
