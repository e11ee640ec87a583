"""`seal`: which hours are complete, for people and for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from read_lines import COLLECTION, HOUR, line, write

from otel_modeldata_receiver.commands import main
from otel_modeldata_receiver.commands.maintenance.duration import duration_argument, shown_duration

if TYPE_CHECKING:
    from pathlib import Path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[str], str]:
    code = main.main([*map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def test_seal_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blob = write(tmp_path, [line(), line([{"age": 1}, {"age": 2}], number=1)])
    other = write(tmp_path, [line(number=2)], hour="2026/11/22/11")
    now = f"{datetime.now(UTC):%Y/%m/%d/%H}"
    write(tmp_path, [line(number=3)], hour=now)
    expected = [str(tmp_path), COLLECTION]
    assert run(capsys, "seal", tmp_path, "--lateness", "0s", "--dry-run") == (
        0,
        [
            *expected,
            f"  {HOUR}     would be sealed",
            "  2026/11/22/11     would be sealed",
            f"  {now}     open",
            "0 of 3 folders complete; 2 would be sealed; nothing is written",
        ],
        "",
    )
    assert run(capsys, "seal", COLLECTION, tmp_path, "--lateness", "0s") == (
        0,
        [
            *expected,
            f"  {HOUR}     sealed: 2 events, 3 rows",
            "  2026/11/22/11     sealed: 1 event, 1 row",
            f"  {now}     open",
            "2 of 3 folders complete; 2 sealed now",
        ],
        "",
    )
    with blob.open("ab") as file:
        file.write(late := line(number=4))
    other.write_bytes(b"")
    assert run(capsys, "seal", "--store", tmp_path, "--list", "--until", "2026-11-23") == (
        0,
        [
            *expected,
            f"  {HOUR}     reopened, not sealed yet: it is being written",
            "  2026/11/22/11     changed, not sealed yet: it is being written",
            "1 of 2 folders complete",
        ],
        "",
    )
    assert run(capsys, "seal", tmp_path, "--list", "--until", "2026-11-23", "--lateness", "0s")[1][2:4] == [
        f"  {HOUR}     reopened: {len(late)} bytes came after seal 1",
        "  2026/11/22/11     changed: lines of seal 1 are gone",
    ]
    assert run(capsys, "seal", tmp_path, "--lateness", "0s")[1][2:] == [
        f"  {HOUR}     sealed again, with 1 late line: 3 events, 4 rows",
        "  2026/11/22/11     sealed again, with other lines: 0 events, 0 rows",
        f"  {now}     open",
        "2 of 3 folders complete; 2 sealed now",
    ]
    assert run(capsys, "seal", tmp_path, "--lateness", "0s")[1][2:] == [
        f"  {now}     open",
        "2 of 3 folders complete; 0 sealed now",
    ]


def test_seal_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blob = write(tmp_path, [line()])
    code, (text,), err = run(capsys, "seal", COLLECTION, tmp_path, "--lateness", "0s", "--json")
    found = json.loads(text)
    sealed_at = found["folders"][0]["seal"].pop("sealed_at")
    assert datetime.fromisoformat(sealed_at).tzinfo == UTC
    assert (code, err, found) == (
        0,
        "",
        {
            "store": str(tmp_path),
            "folders": [
                {
                    "collection": COLLECTION,
                    "folder": HOUR,
                    "since": "2026-11-22T10:00:00+00:00",
                    "until": "2026-11-22T11:00:00+00:00",
                    "state": "sealed",
                    "complete": True,
                    "waits_for": None,
                    "late_bytes": 0,
                    "new": True,
                    "seal": {
                        "object": f"_sealed/{COLLECTION}/{HOUR}/000001.json",
                        "number": 1,
                        "reason": "closed",
                        "bytes": blob.stat().st_size,
                        "lines": 1,
                        "events": 1,
                        "rows": 1,
                        "unreadable": 0,
                        "producers": 1,
                        "late_lines": 0,
                    },
                }
            ],
        },
    )


def test_wait_ends_with_0_if_the_hour_is_complete_else_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, [line()])
    wait = ("seal", COLLECTION, tmp_path, "--lateness", "0s", "--timeout", "0s", "--wait")
    assert run(capsys, *wait, "2026-11-22T10")[:2] == (
        0,
        [str(tmp_path), COLLECTION, f"  {HOUR}     sealed: 1 event, 1 row", "1 of 1 folder complete; 1 sealed now"],
    )
    assert run(capsys, *wait, "2026-11-22T12")[1][2] == "  2026/11/22/12     complete: no events"
    with pytest.raises(SystemExit) as ended:
        main.main([*map(str, wait), "2126-11-22T10"])
    assert (ended.value.code, capsys.readouterr().out.splitlines()[2]) == (1, "  2126/11/22/10     open")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--wait", "2026-11-22T10"], 2, "expected a collection with --wait, got none"),
        (["shop/blue/model_input", "{store}"], 2, "expected a collection of"),
        (["shop/blue/model_inputs", "{store}/nothing"], 3, "nothing"),
        (["{store}", "--since", "yesterday"], 2, "expected a time like"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, sentence: str
) -> None:
    write(tmp_path, [line()])
    found, out, err = run(capsys, "seal", *[one.format(store=tmp_path) for one in arguments])
    assert (found, out) == (code, [])
    assert sentence in err


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("90s", 90.0, "90s"),
        ("15m", 900.0, "15m"),
        ("1.5h", 5400.0, "90m"),
        ("90d", 7_776_000.0, "90d"),
        ("2w", 1_209_600.0, "2w"),
        ("0s", 0.0, "0s"),
    ],
)
def test_durations_are_read_and_shown(text: str, seconds: float, shown: str) -> None:
    assert (duration_argument(text), shown_duration(seconds)) == (seconds, shown)


@pytest.mark.parametrize("text", ["", "15", "-1h", "1y", "1h30m", "1e9d"])
def test_other_texts_are_no_durations(text: str) -> None:
    import argparse

    with pytest.raises(argparse.ArgumentTypeError, match="expected a duration like"):
        duration_argument(text)
