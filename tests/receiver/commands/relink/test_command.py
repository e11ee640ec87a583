"""The command `otel-modeldata relink` on stores that a real receiver wrote."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from audited_store import audited, raw_event, send
from azure_reader import JobFailedError, blob_name, rows_below
from otlp_requests import NOON, record
from waiting import wait_until

import otel_modeldata_reader as reader
from otel_modeldata import semconv
from otel_modeldata_receiver.commands import main

if TYPE_CHECKING:
    from azurite import Azurite
    from receiver_process import ReceiverProcess, StartReceiver

pytestmark = pytest.mark.slow

INPUTS = "credit/blue/model_inputs"
LARGE = json.dumps([{"x": "y" * 1_100_000}] * 4, separators=(",", ":"))
ROWS = [{"age": 42}, *json.loads(LARGE)]


def relink(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    try:
        code, text = main.main(["relink", *map(str, arguments)]), ""
    except SystemExit as error:
        code, text = (error.code, "") if isinstance(error.code, int) else (1, f"{error.code}\n")
    captured = capsys.readouterr()
    return code, captured.out, captured.err + text


def relinked(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    code, out, err = relink(capsys, *arguments, "--json")
    assert (code, err) == (0, "")
    facts: dict[str, Any] = json.loads(out)
    return facts


def fill(receiver: ReceiverProcess) -> None:
    """Send five rows, four of them in a payload; an image; and a large record that cannot become a line."""
    image = record(
        b"\x89PNG", {semconv.AZUREML_DATA_CONTENT_TYPE: "image/png"}, collection="request", event_id="i", time_ns=NOON
    )
    send(receiver.endpoint, raw_event(0), raw_event(1, LARGE), image.SerializeToString(), raw_event(2, "x" * (1 << 21)))
    receiver.stop()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from receiver_process import ReceiverProcess

    folder = tmp_path_factory.mktemp("relinked")
    receiver = ReceiverProcess(store=str(folder / "a store é#"), flags=(), variables={}, log=folder / "receiver.log")
    receiver.start()
    try:
        fill(receiver)
    finally:
        receiver.kill()
    assert rows_below(folder / "a store é#" / INPUTS) == ROWS  # in place, with blanks in the path
    return (folder / "a store é#").rename(folder / "kept")


@pytest.fixture
def moved(tmp_path: Path, written: Path) -> Path:
    """A store that was at another place before."""
    return shutil.copytree(written, tmp_path / "moved here, ü")


def files(store: Path) -> dict[str, bytes]:
    """The files of a store without its lock."""
    found = {path.relative_to(store).as_posix(): path.read_bytes() for path in store.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if not name.startswith("_maintenance/")}


def test_azures_reader_finds_the_rows_of_a_moved_store_after_relink(
    moved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(JobFailedError):
        rows_below(moved / INPUTS)
    code, facts = audited(capsys, moved, "--running")
    assert (code, facts["findings"]) == (0, [])
    assert any("2 lines with a reference to where the store was before" in note for note in facts["notes"])
    before = files(moved)
    assert relinked(capsys, moved, "--dry-run")["rewritten"] == 3
    assert files(moved) == before
    facts = relinked(capsys, moved)
    assert [facts[name] for name in ("rewritten", "right", "missing", "foreign")] == [3, 0, 0, 0]
    assert rows_below(moved / INPUTS) == ROWS
    after = files(moved)
    assert sorted(name for name in after if after[name] != before[name]) == facts["blobs"]
    assert {name: content.count(b"\n") for name, content in after.items()} == {
        name: content.count(b"\n") for name, content in before.items()
    }
    code, facts = audited(capsys, moved, "--running")
    assert (code, facts["findings"], [note for note in facts["notes"] if "reference" in note]) == (0, [], [])
    assert relink(capsys, moved)[:2] == (
        0,
        f"{moved}: 0 references in 0 blobs rewritten, 3 were right, 0 lead outside of their folder\n",
    )
    assert files(moved) == after


def test_relative_references_survive_every_move_for_a_reader_that_is_started_in_the_store(
    moved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert relinked(capsys, "--store", moved, "--relative")["rewritten"] == 3
    elsewhere = moved.rename(tmp_path / "moved again")
    monkeypatch.chdir(elsewhere)
    assert rows_below(Path(INPUTS)) == ROWS
    assert not [note for note in audited(capsys, elsewhere, "--running")[1]["notes"] if "reference" in note]


def test_references_can_lead_to_where_the_store_will_be(moved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert relinked(capsys, moved, "--to", "https://account.blob.core.windows.net/modeldata/my prod")["rewritten"] == 3
    (blob,) = moved.glob(f"{INPUTS}/**/*.jsonl")
    (reference,) = (line["dataref"] for line in map(json.loads, blob.read_bytes().splitlines()) if "dataref" in line)
    (payload,) = moved.glob(f"{INPUTS}/**/files/*")
    assert blob_name(reference) == f"my prod/{payload.relative_to(moved).as_posix()}"


def test_a_store_behind_a_symbolic_link_moves_with_the_link(tmp_path: Path, start_receiver: StartReceiver) -> None:
    (tmp_path / "disk 1").mkdir()
    link = tmp_path / "modeldata"
    link.symlink_to(tmp_path / "disk 1")
    fill(start_receiver(str(link)))
    (tmp_path / "disk 1").rename(tmp_path / "disk 2")
    link.unlink()
    link.symlink_to(tmp_path / "disk 2")
    assert rows_below(tmp_path / "disk 2" / INPUTS) == ROWS


def test_a_store_that_was_downloaded_from_azure_is_relinked(
    tmp_path: Path, azurite: Azurite, start_receiver: StartReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    container = azurite.new_container()
    fill(start_receiver(f"az://{container}/my prod", AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string))
    with azurite.open(container) as client:
        for name in client.list_blob_names():
            path = tmp_path / name.removeprefix("my prod/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(client.download_blob(name).readall())
    (line,) = (json.loads(line) for line in files(tmp_path)[_blob(tmp_path)].splitlines() if b"dataref" in line)
    assert f"/{container}/my prod/{INPUTS}/" in line["dataref"]
    assert relinked(capsys, tmp_path)["rewritten"] == 3
    assert rows_below(tmp_path / INPUTS) == ROWS


def _blob(store: Path) -> str:
    (blob,) = store.glob(f"{INPUTS}/**/*.jsonl")
    return blob.relative_to(store).as_posix()


def test_the_lines_of_a_store_whose_payloads_were_not_copied_stay_as_they_are(
    moved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in moved.glob(f"{INPUTS}/**/files/*"):
        path.unlink()
    before = files(moved)[_blob(moved)]
    code, out, err = relink(capsys, moved)
    assert (code, out.partition(": ")[2].partition(",")[0]) == (1, "2 references in 2 blobs rewritten")
    assert err.endswith("got none for 1 of them: copy the folders 'files' of the store too\n")
    assert files(moved)[_blob(moved)] == before


def test_parked_lines_lead_to_where_their_payloads_will_be(
    tmp_path: Path, start_receiver: StartReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / "credit").write_text("no folder")
    receiver = start_receiver(str(store))
    send(receiver.endpoint, raw_event(0), raw_event(1, LARGE))
    receiver.kill()
    moved = store.rename(tmp_path / "moved")
    assert any("1 line with a reference" in note for note in audited(capsys, moved, "--running")[1]["notes"])
    assert relinked(capsys, moved)["rewritten"] == 1
    assert not [note for note in audited(capsys, moved, "--running")[1]["notes"] if "reference" in note]
    (moved / "credit").unlink()
    start_receiver(str(moved), "--instance-id", receiver.startup["instance_id"])
    wait_until(lambda: [path for path in moved.glob(f"{INPUTS}/**/*.jsonl") if path.read_bytes().count(b"\n") == 2])
    assert rows_below(moved / INPUTS) == ROWS


def test_a_writer_at_the_same_moment_is_an_error_and_changes_nothing(
    moved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fcntl = pytest.importorskip("fcntl")
    before = files(moved)
    with (moved / _blob(moved)).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, out, err = relink(capsys, moved)
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "stop the receiver of this store first" in err
    assert files(moved)[_blob(moved)] == before[_blob(moved)]
    assert set(files(moved)) == set(before)


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
def test_a_full_disk_is_an_error_and_a_second_run_continues(moved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(moved)
    code = (
        "import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))\n"
        f"from otel_modeldata_receiver.commands.main import main\nsys.exit(main(['relink', {str(moved)!r}]))"
    )
    done = subprocess.run([sys.executable, "-Bc", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1), done.stderr
    assert "File too large: run this as the receiver's user, with free space" in done.stderr
    assert files(moved) == before
    assert relinked(capsys, moved)["rewritten"] == 3


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_a_blob_keeps_its_mode_and_a_receiver_appends_to_it_again(
    moved: Path, start_receiver: StartReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    blob = moved / _blob(moved)
    blob.chmod(0o640)
    relinked(capsys, moved)
    assert blob.stat().st_mode & 0o777 == 0o640
    receiver = start_receiver(str(moved), "--instance-id", blob.name[:32])
    send(receiver.endpoint, raw_event(0), raw_event(1, LARGE), raw_event(3))
    receiver.stop()
    assert [json.loads(line)["id"] for line in blob.read_bytes().splitlines()] == [
        "model_inputs-0",
        "model_inputs-1",
        "model_inputs-3",
    ]
    code, facts = audited(capsys, moved, "--running")
    assert (code, facts["findings"]) == (0, [])


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["az://modeldata/prod"], 2, "only appended to"),
        (["https://account.blob.core.windows.net/modeldata"], 2, "only appended to"),
        (["{}", "--to", "/x", "--relative"], 2, "not allowed with"),
        (["{}", "--to", "ftp://x"], 2, "scheme 'ftp'"),
        (["{}/absent"], 3, "expected a folder of blobs"),
        (["{}/empty"], 3, "expected blobs of a receiver"),
    ],
)
def test_wrong_usage_changes_nothing(
    moved: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, part: str
) -> None:
    (moved / "empty").mkdir()
    before = files(moved)
    found, out, err = relink(capsys, *(text.format(moved) for text in arguments))
    assert (found, out, part in err) == (code, "", True), err
    assert files(moved) == before


def rows_and_report(store: Path) -> tuple[int, object]:
    reading = reader.open(store).read(INPUTS)
    rows = reading.to_arrow().num_rows
    return rows, (reading.report.distrusted, reading.report.foreign)


def test_what_vouches_for_the_old_bytes_of_an_hour_goes_with_them(
    moved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (blob,) = (moved / INPUTS).rglob("*.jsonl")
    blob.with_name(f"{1:032x}000000.jsonl").write_bytes(blob.read_bytes())  # a second receiver's
    store = reader.open(moved)
    store.seal(lateness=0)
    store.compact(older=0)
    before = rows_and_report(moved)
    found = relinked(capsys, moved)
    assert (len(found["blobs"]), found["left"]) == (4, [])
    assert not [name for name in files(moved) if name.startswith(("_parquet/", f"_sealed/{INPUTS}"))]
    assert rows_and_report(moved) == before
    assert [one.state for one in store.sealed()] == ["closed", "closed"]
    store.compact(older=0)
    assert rows_and_report(moved) == before


def test_an_hour_of_which_lines_were_removed_stays_as_it_is(moved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = reader.open(moved)
    (blob,) = (moved / INPUTS).rglob("*.jsonl")
    lines = blob.read_bytes()
    store.compact(INPUTS, older=0, drop_lines=True)
    other = blob.with_name(f"{1:032x}000000.jsonl")
    other.parent.mkdir(exist_ok=True)
    other.write_bytes(lines)  # late lines, of another receiver
    before = files(moved)
    assert relinked(capsys, moved)["left"] == [other.relative_to(moved).as_posix()]
    after = files(moved)
    kept = [name for name in before if name.startswith(("_parquet/", f"{INPUTS}/"))]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
