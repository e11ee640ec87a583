"""Notes of receivers about acknowledged lines that are gone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from audited_store import audited, write_event

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BLOB = "credit/blue/model_inputs/2026/11/22/12/f000000.jsonl"
NOTE = {"time": "2026-11-23T08:00:00Z", "blob": BLOB, "expected": 5000, "found": 1200, "lines": 13}


def test_a_note_is_a_finding_of_the_audited_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_event(tmp_path, 0, 12, "stored")
    (tmp_path / "_vanished").mkdir()
    (tmp_path / "_vanished" / "a.json").write_text(json.dumps(NOTE))
    (tmp_path / "_vanished" / "b.json").write_text("torn")
    code, facts = audited(capsys, tmp_path, "--running")
    finding = (
        f"lines vanished from '{BLOB}': expected 5,000 bytes that were acknowledged, found 1,200 at "
        "2026-11-23T08:00:00Z, at least 13 line(s); was the store restored from a copy?"
    )
    torn = "1 note about vanished lines cannot be read: '_vanished/b.json'"
    assert (code, facts["findings"], facts["vanished"]) == (1, [finding, torn], [NOTE])
    code, facts = audited(capsys, tmp_path, "--running", "--deployment", "blue", "--to", "2026-11-22T12")
    assert (code, facts["vanished"]) == (1, [NOTE])
    write_event(tmp_path, 1, 13, "stored")
    code, facts = audited(capsys, tmp_path, "--running", "--from", "2026-11-22T13")
    assert (code, facts["vanished"]) == (0, [])
