"""Prints the result of the demo: the counts, what they mean, and lines to copy."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.printable import printable
from otel_modeldata_reader.report import counted

from ..store_argument import DEFAULT_STORE, STORE_VARIABLE
from ..terminal import WIDTH, columns, writer
from .flights import DAY, EVENING
from .verification import expected_events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .verification import Verification

__all__ = ["command_lines", "show", "tell_studio"]

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

_ALIAS: Final = """alias otel-modeldata="uvx --from 'otel-modeldata[demo]' otel-modeldata\""""


def show(result: Verification, store: str, deployment: str, reports: Path | None) -> None:
    """Print the summary on stdout: what 24 lines of a terminal show at the end begins with the counts.

    Args:
        result: of the run.
        store: without secrets.
        deployment: `endpoint/deployment`.
        reports: the folder with the final report of the service; None if it could not be kept.
    """
    write = writer()
    write("\nin your FastAPI service:\n", style="bold")
    for line in _DIFF.splitlines():
        write(f"  {line}", style="green" if line.startswith("+") else "dim")
    write("")
    _show_counts(result)
    write("\nto copy:", style="bold")
    if _is_borrowed(sys.prefix):
        write(f"  {_ALIAS}")
    shown = printable(store)
    name = deployment.partition("/")[2]
    of_store = () if shown == DEFAULT_STORE and STORE_VARIABLE not in os.environ else ("--store", shown)
    ended = ("--running",) if reports is None else ("--report", printable(str(reports)))
    for command in (
        ("ls", shown),
        ("show", result.requests[-1].id, *of_store),
        ("report", deployment, *of_store, "--since", EVENING, "--baseline", DAY),
        ("audit", shown, "--deployment", name, *ended),
        ("studio", shown, "--baseline", DAY),
    ):
        for line in command_lines(command):
            write(f"  {line}")
    write("\nin Python:", style="bold")
    write("  import otel_modeldata_reader as reader")
    write(f"  store = reader.open({shown!r})")
    write(f"  print(store.join({deployment!r}, labels=True).to_pandas())")


def command_lines(words: Sequence[str], width: int = WIDTH - 2) -> list[str]:
    """A command of `otel-modeldata` as lines to copy, which end with a backslash where it goes on.

    Args:
        words: of the command; an option is in one line with its value.
        width: columns that a line has, if its longest word fits.
    """
    parts: list[str] = ["otel-modeldata"]
    for before, word in zip(("", *words), words, strict=False):
        quoted = shlex.quote(word)
        if before.startswith("--"):
            parts[-1] += f" {quoted}"
        else:
            parts.append(quoted)
    lines = [" ".join(parts[:2])]
    for part in parts[2:]:
        if columns(f"{lines[-1]} {part} \\") <= width:
            lines[-1] += f" {part}"
        else:
            lines[-1] += " \\"
            lines.append(f"    {part}")
    return lines


def _is_borrowed(prefix: str) -> bool:
    """Whether the environment is one that `uvx` made for this run, whose commands are on no PATH afterwards."""
    return any(part.startswith("archive-v") for part in Path(prefix).parts)


def tell_studio(url: str, deployment: str) -> None:
    """Print where Studio is, where it shows the drift, and how it ends."""
    write = writer()
    write(f"\nthe drift: {url}#/explore/{deployment}?since={EVENING}")
    write(f"Studio is at {url}, Ctrl-C ends it", style="bold")


def _show_counts(result: Verification) -> None:
    write = writer()
    accepted = result.delivery.accepted
    is_whole = not result.problems
    write(
        f"accepted {accepted:,} {'=' if accepted == result.stored else 'is not'} stored {result.stored:,} events: "
        f"{'nothing is lost, nothing is there twice' if is_whole else 'see the last line'}",
        style="bold green" if is_whole else "bold red",
    )
    of_flights, of_labels = expected_events(result.joined, 0), expected_events(0, result.landings)
    write(
        f"{of_flights:7,} from {counted(result.joined, 'flight')}: request, inputs, outputs and response of each, "
        "with\n        the ids, the traces and the values that were sent\n"
        f"{of_labels:7,} from {counted(result.landings, 'message')} with labels: {result.labels:,} of "
        f"{counted(len(result.requests), 'flight')} have landed\n"
        "from 18:00 in New York on, departure_delay came in seconds: see the report"
    )
