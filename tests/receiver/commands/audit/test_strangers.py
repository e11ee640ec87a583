"""What a sender of another deployment can do to an account: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audited_lines import BLOB, faults, line, stored
from audited_store import audited, run, write_event
from read_lines import line as read_line
from read_lines import write

from otel_modeldata_reader.auditing.quarantine_line import identify
from otel_modeldata_receiver.layout.blob_path import parse_blob_path

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MACHINE = "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachines/vm"


def test_an_id_of_another_deployment_makes_no_event_a_duplicate() -> None:
    """Also where both name the same machine as their source, and the stranger's folder is read first."""
    for source in (MACHINE, "/endpoints/credit/deployments/blue"):
        ledger = stored()
        stranger = parse_blob_path(BLOB.replace("credit/", "aaa/"))
        ledger.add_lines(stranger, 0, [line(number, source=source) for number in (0, 1)])
        ledger.add_lines(parse_blob_path(BLOB), 0, [line(number, source=source) for number in (0, 1, 2)])
        found = {one.endpoint: (one.stored, one.duplicates, one.missing) for one in ledger.reconcile({}, whole=True)}
        assert found == {"aaa": (2, 0, 0), "credit": (3, 0, 0)}, source
        assert "duplicated" not in faults(ledger), source


def test_a_line_that_was_copied_into_the_folder_of_another_deployment_is_a_duplicate() -> None:
    ledger = stored(0, 1)
    ledger.add_lines(parse_blob_path(BLOB.replace("credit/", "fraud/")), 0, [line(1), line(2)])
    assert faults(ledger) == {"misplaced": 2, "duplicated": 1}


def test_a_record_in_quarantine_whose_resource_is_gone_belongs_to_no_deployment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a resource it would be one of `local/default`, as a record is that was sent without one."""
    assert identify(b"", b"").tenant == ("local", "default")
    assert identify(b"", None).tenant is None
    write_event(tmp_path, 0, 12, "stored")
    write_event(tmp_path, 1, 12, "quarantined")
    (kept,) = tmp_path.glob("_quarantine/**/*.jsonl")
    text = kept.read_text()
    start = text.index('"resource":"') + len('"resource":"')
    end = text.index('"', start)
    for lost in (text[:start] + "no base64!" + text[end:], f'{text[: start - 3]}ref":"az://c/gone.bin{text[end:]}'):
        kept.write_text(lost)
        _, facts = audited(capsys, tmp_path, "--running")
        assert [one["endpoint"] for one in facts["reconciliations"]] == ["credit"]
        assert facts["unattributed_quarantined"] == 1


def test_the_notes_of_a_store_that_lost_everything_are_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blob = "credit/blue/model_inputs/2026/11/22/12/f000000.jsonl"
    note = f'{{"time":"2026-11-23T08:00:00Z","blob":"{blob}","expected":5,"found":0}}'
    (tmp_path / "_vanished").mkdir()
    (tmp_path / "_vanished" / "a.json").write_text(note)
    code, facts = audited(capsys, tmp_path)
    assert (code, [one["blob"] for one in facts["vanished"]]) == (1, [blob])
    (tmp_path / "_vanished" / "a.json").write_text(note[:20])
    code, facts = audited(capsys, tmp_path)
    assert (code, facts["findings"]) == (1, ["1 note about vanished lines cannot be read: '_vanished/a.json'"])


def test_a_store_with_empty_blobs_only_has_nothing_to_audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_event(tmp_path, 0, 12, "stored")
    (blob,) = tmp_path.glob("credit/**/*.jsonl")
    blob.write_bytes(b"\n")
    assert audited(capsys, tmp_path) == (3, {})


def test_the_name_of_a_producer_steers_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A receiver refuses control characters, but not the others, and not everyone who writes is a receiver."""
    nasty = "\x1b[2J\x9b31m\u202e\nfinding: none"
    write(tmp_path, [read_line(producer=nasty, sequence="1"), b"torn " + nasty.encode() + b"\n"])
    code, out, error = run(capsys, tmp_path, "--running")
    assert code == 1
    assert "producer \\x1b[2J\\x9b31m\\u202e\\nfinding: none\n" in out
    assert [one for one in out + error if not one.isprintable() and one != "\n"] == []
    assert "finding: none" not in (out + error).splitlines()
