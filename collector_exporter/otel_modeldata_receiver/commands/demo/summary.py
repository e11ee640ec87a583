"""Prints the result of the demo: the counts, what they mean, and lines to copy."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from ..printable import printable
from ..terminal import writer
from .flights import DAY, EVENING

if TYPE_CHECKING:
    from .verification import Verification

__all__ = ["show", "tell_studio"]

_DIFF: Final = """\
+from otel_modeldata import Collector
+
+inputs = Collector(name="model_inputs")
+outputs = Collector(name="model_outputs")

 @app.post("/score")
 def score(flight: Flight):
     frame = pd.DataFrame([flight.model_dump()])
+    context = inputs.collect(frame)
     result = predict(frame)
+    outputs.collect(result, context)
     return result.to_dict("records")[0]"""


def show(result: Verification, store: str, deployment: str) -> None:
    """Print the summary on stdout.

    Args:
        result: of the run.
        store: without secrets.
        deployment: `endpoint/deployment`.
    """
    write = writer()
    _show_counts(result)
    write("\nin your FastAPI service:\n", style="bold")
    for line in _DIFF.splitlines():
        write(f"  {line}", style="green" if line.startswith("+") else "dim")
    write("\nto copy:\n", style="bold")
    shown = shlex.quote(printable(store))
    for command in (
        f"ls {shown}",
        f"show {result.requests[-1].id} --store {shown}",
        f"report {deployment} --store {shown} --since {EVENING} --baseline {DAY}",
        f"audit {shown} --running",
        f"studio {shown}",
    ):
        write(f"  otel-modeldata {command}")
    write("\nin Python:\n", style="bold")
    write("  import otel_modeldata_reader as reader")
    write(f"  rows = reader.open({printable(store)!r}).join({deployment!r}, labels=True)")
    write("  print(rows.to_pandas())")


def tell_studio(url: str, deployment: str) -> None:
    """Print where Studio is, where it shows the drift, and how it ends."""
    write = writer()
    write(f"\nthe drift: {url}#/explore/{deployment}?since={EVENING}")
    write(f"Studio is at {url}, Ctrl-C ends it", style="bold")


def _show_counts(result: Verification) -> None:
    write = writer()
    accepted, flights = result.delivery.accepted, len(result.requests)
    is_whole = not result.problems
    write(
        f"accepted {accepted:,} {'=' if accepted == result.stored else 'is not'} stored {result.stored:,} events: "
        f"{'nothing is lost, nothing is there twice' if is_whole else 'see the last line'}",
        style="bold green" if is_whole else "bold red",
    )
    write(
        f"{result.joined:,} of {flights:,} flights: request, inputs, outputs and response in the store,\n"
        "  with the ids, the traces and the values that were sent\n"
        f"{result.labels:,} of {flights:,} flights have landed, and have a label\n"
        "from 18:00 in New York on departure_delay came in seconds: see the report"
    )
