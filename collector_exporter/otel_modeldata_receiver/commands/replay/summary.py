"""The result of a replay on stdout: for people, or as JSON for programs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.printable import printable
from otel_modeldata_reader.report import counted

from ..reading.row_table import row_table
from ..terminal import WIDTH, fitting, size_text, writer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_modeldata_reader.replaying import ColumnResult, Comparison, Recording, Replayed, ReplayPreview

__all__ = ["Verdict", "print_preview", "print_result", "verdict_of"]

_SHOWN_BODY: Final = 400
_SHOWN_ROWS: Final = 20
_SHOWN_PAIRS: Final = 10
_COUNTS: Final = ("equal", "different", "missing", "incomparable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a replay is as it should be.

    Attributes:
        failed: requests without an answer of status 2xx.
        unequal: rows that are not equal; None without a comparison.
        allowed: how many may be.
    """

    failed: int
    unequal: int | None
    allowed: float

    @property
    def is_good(self) -> bool:
        """Whether every request is answered, and no more rows differ than may."""
        return not self.failed and (self.unequal is None or self.unequal <= self.allowed)


def verdict_of(result: Replayed, most: tuple[float, bool] | None) -> Verdict:
    """The verdict.

    Args:
        result: of the replay.
        most: how many rows may be not equal, and whether that is a share of all; None is none.
    """
    number, is_share = most or (0.0, False)
    if result.comparison is None:
        return Verdict(failed=result.failed, unequal=None, allowed=0.0)
    rows = result.comparison.rows
    return Verdict(failed=result.failed, unequal=rows.unequal, allowed=number * rows.rows if is_share else number)


def print_preview(found: ReplayPreview, recording: Recording, target: str, *, as_json: bool) -> None:
    """Print what a replay would send."""
    body = "" if found.first is None else found.first.body[:_SHOWN_BODY].decode(errors="replace")
    if as_json:
        facts = {"target": target, "requests": found.requests, "rows": found.rows, "bytes": found.size}
        _write_json(facts | {"skipped": dict(found.skipped), "first_body": body})
        return
    say = writer()
    what = counted(found.requests, "request") + (f" with {counted(found.rows, 'row')}" if found.rows else "")
    say(printable(f"{recording.input_name} -> {target}: {what}, {size_text(found.size)}; nothing is sent"))
    _say_skipped(found.skipped)
    if body:
        cut = "..." if len(found.first.body if found.first else b"") > _SHOWN_BODY else ""
        say(printable(f"the first: {body}{cut}"))


def print_result(result: Replayed, verdict: Verdict, store: str, *, as_json: bool) -> None:
    """Print what a replay has done."""
    if as_json:
        _write_json(_facts(result, verdict, store))
        return
    say = writer()
    what = (
        f"{counted(result.requests, 'request')}, {counted(result.rows, 'row')}"
        if result.rows
        else counted(result.requests, "request")
    )
    say(fitting(f"{what} to {result.target}"))
    say(fitting(", ".join(f"{name}: {count:,}" for name, count in result.by_status.items()) or "nothing was sent"))
    if result.latency_p50_ms is not None and result.latency_p99_ms is not None:
        say(f"latency p50 {result.latency_p50_ms:,.1f} ms, p99 {result.latency_p99_ms:,.1f} ms")
    _say_skipped(result.skipped)
    if result.comparison is not None:
        _say_comparison(result.comparison, say)
    say(printable(f"{result.folder}: answers.parquet{', differences.parquet' if result.comparison else ''}"), "dim")
    if verdict.failed:
        say(f"{counted(verdict.failed, 'request')} without an answer: --resume sends them again", "red")
    if result.requests and not result.answered:
        _say_what_was_answered(result, say)
    if verdict.unequal is not None and verdict.unequal > verdict.allowed:
        say(f"{counted(verdict.unequal, 'row')} not equal, at most {verdict.allowed:,.0f} may be", "red")


def _say_what_was_answered(result: Replayed, say: Any) -> None:
    """No request has an answer of status 2xx: show one answer, and what is wrong most often."""
    if result.refusal:
        say(printable(f"the first answer: {result.refusal[:_SHOWN_BODY]}"))
    say("No request was answered with a status 2xx. If the target expects other bodies, name")
    say("them with --format, and another --out; --dry-run shows the first body.")


def _say_skipped(skipped: Mapping[str, int]) -> None:
    for reason, count in skipped.items():
        sys.stderr.write(printable(f"otel-modeldata: {counted(count, 'event')} not sent: {reason}") + "\n")


def _say_comparison(found: Comparison, say: Any) -> None:
    say("")
    rows = [["all", found.rows.rows, *_counts(found.rows)]]
    rows += [[one.value, one.rows.rows, *_counts(one.rows)] for one in found.slices[:_SHOWN_ROWS]]
    _say_table(["rows of", "rows", *_COUNTS], rows, say)
    if len(found.slices) > _SHOWN_ROWS:
        say(f"{len(found.slices) - _SHOWN_ROWS:,} more slices: --json has all", "dim")
    for count, text in (
        (found.without_output, "without recorded outputs"),
        (found.uncertain, "whose outputs are not certain, because requests share their correlation id"),
    ):
        if count:
            say(f"{counted(count, 'request')} {text}", "dim")
    for count, text in (
        (found.not_json, "not JSON"),
        (found.without_rows, "without rows that are found: --answer-at says where they are"),
        (found.without_columns, "without a column of the recorded outputs"),
    ):
        if count:
            say(f"incomparable: {counted(count, 'answer')} {text}", "dim")
    if found.surplus:
        say(f"{counted(found.surplus, 'answered row')} beyond those recorded", "dim")
    for names, text in ((found.only_recorded, "not answered"), (found.only_answered, "not recorded")):
        if names:
            say(fitting(f"columns {text}: {', '.join(names)}"), "dim")
    if found.columns:
        say("")
        _say_table(
            ["column", "values", "different", "difference p50", "p99", "max"],
            [_column(one) for one in found.columns[:_SHOWN_ROWS]],
            say,
        )
    for one in found.columns:
        wrong = [pair for pair in one.confusion if pair[0] != pair[1]][:_SHOWN_PAIRS]
        if one.different and wrong:
            say("")
            _say_table([f"{one.name} recorded", "answered", "values"], [list(pair) for pair in wrong], say)


def _counts(rows: Any) -> list[int]:
    return [getattr(rows, name) for name in _COUNTS]


def _column(one: ColumnResult) -> list[Any]:
    shown = one.difference
    numbers = [None] * 3 if shown is None else [float(f"{x:.3g}") for x in (shown.p50, shown.p99, shown.maximum)]
    return [one.name, one.compared, one.different, *numbers]


def _say_table(names: Sequence[str], rows: Sequence[Sequence[Any]], say: Any) -> None:
    lines, _ = row_table(names, rows, WIDTH)
    say(lines[0], "bold")
    for line in lines[1:]:
        say(line)


def _facts(result: Replayed, verdict: Verdict, store: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "store": store,
        "target": result.target,
        "folder": str(result.folder),
        "run": result.run,
        "is_good": verdict.is_good,
        "requests": result.requests,
        "answered": result.answered,
        "failed": result.failed,
        "earlier": result.progress.earlier,
        "rows": result.rows,
        "by_status": dict(result.by_status),
        "skipped": dict(result.skipped),
        "latency_ms": {"p50": result.latency_p50_ms, "p99": result.latency_p99_ms},
        "seconds": round(result.progress.seconds, 3),
    }
    if result.comparison is not None:
        facts["comparison"] = asdict(result.comparison)
    return facts


def _write_json(facts: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
