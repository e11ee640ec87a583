"""Prints the result of the demo: the counts, the paths of the blobs, and the last pair of lines with its trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from .verification import Pair, Verification

_SHOWN_COLUMNS: Final = 3
"""Columns of the inputs that are shown; more of the 30 do not fit into 80 columns."""


def show(result: Verification) -> None:
    """Print the summary on stdout."""
    console = Console(highlight=False)
    delivery = result.scoring.delivery
    lost = sum(delivery.lost.values())
    console.print(
        f"[bold]{len(result.scoring.requests)} requests scored over HTTP[/bold], each in a span of its own\n"
        f"[bold]{delivery.accepted} events collected[/bold]: "
        f"{delivery.delivered} delivered, {lost} lost, {delivery.pending} pending"
    )
    console.print(f"[bold]{result.joined} pairs found in the store[/bold], joined by correlation id and trace:")
    for blobs in result.stored.values():
        for blob in blobs:
            console.print(f"  {len(blob.lines):,} lines, {blob.size:,} bytes:")
            console.print(f"  {blob.path}", markup=False, soft_wrap=True)  # not wrapped, so that it can be copied
    if (pair := result.last) is not None:
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
