"""Lines that wait for their own place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from audited_store import audited, counts, raw_event, send, statement

if TYPE_CHECKING:
    from pathlib import Path

    from receiver_process import StartReceiver

pytestmark = pytest.mark.slow


def test_parked_events_are_no_loss_but_a_finding(
    tmp_path: Path, start_receiver: StartReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """A parked line that is in its folder too is one event."""
    (tmp_path / "credit").write_text("no folder")
    receiver = start_receiver(str(tmp_path))
    send(receiver.endpoint, *(raw_event(number) for number in range(3)), b"\xff")
    receiver.kill()
    code, facts = audited(capsys, tmp_path, "--running")
    (one,) = (one for one in facts["reconciliations"] if one["stored"])
    assert (one["stored"], one["missing"], one["duplicates"]) == (3, 0, 0)
    assert facts["parked"] == {"credit/blue": 3}
    assert code == 1
    assert facts["findings"] == [
        (
            "3 events are parked for credit/blue: nothing is lost; repair the place, and the receiver that parked them "
            "delivers them while it runs"
        )
    ]
    (blob,) = (tmp_path / "_parked").rglob("*.jsonl")
    delivered = tmp_path / blob.relative_to(tmp_path / "_parked")
    (tmp_path / "credit").unlink()
    delivered.parent.mkdir(parents=True)
    first, *_ = blob.read_bytes().splitlines(keepends=True)
    delivered.write_bytes(first)  # the receiver died after the first line
    _, facts = audited(capsys, tmp_path, "--running")
    assert facts["parked"] == {"credit/blue": 2}
    (one,) = (one for one in facts["reconciliations"] if one["stored"])
    assert (one["stored"], one["missing"], one["duplicates"]) == (3, 0, 0)
    with blob.open("ab") as file:
        file.write(b"\x00 no JSON any more\n")
    _, facts = audited(capsys, tmp_path, "--running")
    assert facts["parked"] == {"credit/blue": 2}
    assert facts["findings"][0] == "1 line torn, or not a CloudEvent in JSON"


def test_the_payloads_of_parked_lines_are_found_where_they_are_parked(
    tmp_path: Path, start_receiver: StartReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("credit", "_quarantine"):
        (tmp_path / name).write_text("no folder")
    receiver = start_receiver(str(tmp_path))
    rows = json.dumps([{"x": "y" * 4_200_000}], separators=(",", ":"))
    send(receiver.endpoint, raw_event(0, rows), raw_event(1, "x" * (1 << 21)))
    receiver.kill()
    _, facts = audited(capsys, tmp_path, "--running")
    assert [statement(facts)[name] for name in ("stored", "quarantined", "missing")] == [1, 1, 0]
    assert (counts(facts), facts["parked"]) == ({}, {"credit/blue": 1, "_quarantine": 1})
    for payload in (tmp_path / "_parked").glob("*/**/files/*/*/*"):
        payload.unlink()
    _, facts = audited(capsys, tmp_path, "--running")
    assert (counts(facts), facts["unattributed_quarantined"]) == ({"dataref": 1}, 1)
