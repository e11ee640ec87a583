"""Prints the result of the demo: the counts, what they mean, and lines to copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..terminal import writer

if TYPE_CHECKING:
    from .verification import Verification

__all__ = ["show"]

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
        store: as it is written on a command line.
        deployment: `endpoint/deployment`.
    """
    write = writer()
    delivery = result.delivery
    equal = "=" if result.stored == delivery.accepted else "is not"
    write("")
    write(
        f"accepted {delivery.accepted:,} {equal} stored {result.stored:,} events, although the receiver was killed",
        style="bold green" if not result.problems else "bold red",
    )
    write(
        f"{result.joined:,} of {len(result.requests):,} flights have body, inputs, outputs and answer in the store, with\n"
        f"their ids, traces and values; {result.labels:,} have a label: the others are in the air\n"
        f"from 18:00 in New York on, departure_delay came in seconds, not minutes\n"
    )
    write("in your FastAPI service:", style="bold")
    write("")
    for line in _DIFF.splitlines():
        write(f"  {line}", style="green" if line.startswith("+") else "dim")
    write("")
    write("now try:", style="bold")
    last = result.requests[-1].id if result.requests else "ID"
    for command in (
        f"otel-modeldata ls {store}",
        f"otel-modeldata show {last} --store {store}",
        f"otel-modeldata report {deployment} --store {store} --since -6h --baseline=-24h..-6h",
        f"otel-modeldata audit {store} --running",
        f"otel-modeldata studio {store}",
    ):
        write(f"  {command}")
    write("")
    write("in Python:", style="bold")
    write(f"  import otel_modeldata_reader as reader\n  rows = reader.open({store!r}).join({deployment!r}, labels=True)")
    write("  print(rows.to_pandas())")
