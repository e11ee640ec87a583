"""The summary of the demo for people: where the blobs are, the last pair of lines, and its trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from .verification import Pair, Verification

_SHOWN_COLUMNS: Final = 3
"""Of the inputs' 30: as many as fit a terminal of 80 columns."""


def show(proof: Verification) -> None:
    """Print the summary on stdout."""
    console = Console(highlight=False)
    delivery = proof.scoring.delivery
    lost = sum(delivery.lost.values())
    console.print(
        f"[bold]{len(proof.scoring.requests)} requests scored over HTTP[/bold], in spans of their own\n"
        f"[bold]{delivery.accepted} events collected[/bold]: "
        f"{delivery.delivered} delivered, {lost} lost, {delivery.pending} pending"
    )
    console.print(f"[bold]{proof.joined} pairs found in the store[/bold], joined by correlation id and trace:")
    for blobs in proof.stored.values():
        for blob in blobs:
            line = f"  {len(blob.lines):6,} lines {blob.size:10,} bytes  {blob.path}"
            console.print(line, markup=False, soft_wrap=True)  # a path that can be copied is worth a long line
    if (pair := proof.last) is not None:
        _show_pair(console, pair)


def _show_pair(console: Console, pair: Pair) -> None:
    console.print("[bold]the last pair[/bold]:")
    console.print(_table(pair))
    same = "that of its request's span" if pair.trace_id == pair.request_trace_id else "NOT that of its request's span"
    console.print(f"  correlation id {pair.correlation_id}\n  trace id       {pair.trace_id}, {same}", soft_wrap=True)


def _table(pair: Pair) -> Table:
    table = Table()
    inputs, outputs = pair.inputs[0], pair.outputs[0]
    shown = list(inputs.items())[:_SHOWN_COLUMNS]
    for name, _ in shown:
        table.add_column(name, style="cyan", header_style="cyan")
    table.add_column(f"{len(inputs) - len(shown)} more", header_style="dim", style="dim")
    for name in outputs:
        table.add_column(name, style="green", header_style="green")
    table.add_row(*(_cell(value) for _, value in shown), "...", *(_cell(value) for value in outputs.values()))
    return table


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
