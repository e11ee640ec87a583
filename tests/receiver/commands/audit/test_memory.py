"""What the command remembers, verifies and says for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from audited_store import audited, blob, lines_of, run

from otel_modeldata_receiver.commands import main

pytestmark = pytest.mark.slow


def kinds(facts: dict[str, Any], level: str = "finding") -> list[str]:
    return [one["kind"] for one in facts["details"] if one["level"] == level]


def aged(store: Path) -> Path:
    """The blobs of a store that were not written a moment ago."""
    import os

    for path in store.glob("credit/**/*.jsonl"):
        os.utime(path, (1_795_000_000, 1_795_000_000))
    return store


def test_a_second_audit_reads_new_bytes_only(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    aged(store)
    first = audited(capsys, store, "--running")[1]
    assert first["remembered"] == {"hours": 0, "bytes": 0}
    assert not (store / "_sealed").exists(), "an audit writes nothing unless it is asked to"
    code, facts = audited(capsys, store, "--running", "--remember")
    assert (code, facts["remembered"]["hours"], facts["reconciliations"]) == (0, 6, first["reconciliations"])
    code, facts = audited(capsys, store, "--running")
    size = sum(path.stat().st_size for path in store.glob("credit/**/*.jsonl"))
    assert (code, facts["remembered"], kinds(facts, "note")[-1]) == (0, {"hours": 6, "bytes": size}, "remembered")
    assert audited(capsys, store, "--running", "--no-memory")[1]["remembered"]["hours"] == 0


def test_sealed_bytes_are_compared_with_their_checksums_when_asked(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audited(capsys, aged(store), "--running", "--remember")
    path = blob(store)
    path.write_bytes(path.read_bytes().replace(b'"age":42', b'"age":43'))
    for options in (["--running"], ["--running", "--verify"]):  # the last 4 KiB are compared in any case
        code, facts = audited(capsys, store, *options)
        assert (code, kinds(facts), [one["blob"] for one in facts["sealed"]]) == (
            1,
            ["changed"],
            [path.relative_to(store).as_posix()],
        )
    path.write_bytes(b"".join(lines_of(path)[:-1]))
    code, facts = audited(capsys, store, "--running")
    assert (code, kinds(facts)) == (1, ["vanished"])


def test_each_finding_has_a_kind_and_says_what_to_do(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = blob(store)
    first, second, *rest = lines_of(path)
    forged = second.replace(b"/deployments/blue", b"/deployments/green").replace(b'"id":"', b'"id":"x')
    path.write_bytes(b"".join([*rest, forged, rest[-1], b"torn\n"]))
    del first
    code, facts = audited(capsys, store)
    assert code == 1
    assert set(kinds(facts)) == {"missing", "forged", "duplicated", "unreadable", "unknown_tail"}
    assert all(one["action"] for one in facts["details"] if one["level"] == "finding")
    assert facts["findings"] == [one["sentence"] for one in facts["details"] if one["level"] == "finding"]
    _, out, _ = run(capsys, store)
    assert "to do: see who may write for the deployment of the folder" in " ".join(out.split())


def test_several_processes_find_the_same(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blob(store).write_bytes(b"torn\n")
    assert audited(capsys, store, "--workers", "2") == audited(capsys, store, "--workers", "1")


@pytest.mark.parametrize("count", ["0", "-1", "two", "257"])
def test_a_wrong_number_of_processes_is_refused(store: Path, count: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = run(capsys, store, "--workers", count)
    assert (code, "expected 1 to 256 processes" in " ".join(error.split())) == (2, True)


def test_without_a_temporary_folder_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("otel_modeldata_reader.auditing.summaries.temporary_folder.TemporaryDirectory", refused)
    (tmp_path / "store").mkdir()
    assert main.main(["audit", str(tmp_path / "store")]) == 3
    assert 'expected a temporary folder that can be written, got "No usable' in capsys.readouterr().err


def test_a_full_disk_is_said_in_a_sentence(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """/dev/full takes no byte, as a full disk."""
    opened = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, *rest: opened(Path("/dev/full") if path.name == "summaries" else path, *rest)
    )
    code, out, error = run(capsys, store)
    assert (code, out) == (3, "")
    assert "expected room in the temporary folder" in error
    assert "'No space left on device': an audit needs about 12 bytes there for each line" in " ".join(error.split())


def test_a_line_on_a_terminal_is_wrapped_at_words(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blob(store).write_bytes(b"torn\n")
    code, piped, _ = run(capsys, store)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    again, shown, _ = run(capsys, store)
    assert (again, code, shown.split()) == (1, 1, piped.split())
    assert max(map(len, piped.splitlines())) > 80
    assert all(len(line) <= 80 or len(line.split()) == 1 for line in shown.splitlines())
