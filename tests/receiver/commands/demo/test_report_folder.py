"""The final report of the service is kept beside the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_modeldata_receiver.commands.demo.report_folder import keep_reports, report_folder


@pytest.mark.parametrize(
    ("store", "folder"),
    [
        ("./modeldata", "modeldata-reports"),
        ("data/", "data-reports"),
        ("file:///srv/data", "/srv/data-reports"),
        ("az://container/prefix", "modeldata-reports"),
        ("https://account.blob.core.windows.net/container", "modeldata-reports"),
    ],
)
def test_the_folder_is_beside_a_local_store(store: str, folder: str) -> None:
    assert report_folder(store) == Path(folder)


def test_reports_are_added_to_those_of_earlier_runs(tmp_path: Path) -> None:
    for number in (1, 2):
        written = tmp_path / str(number)
        written.mkdir()
        (written / f"{number}.json").write_text(str(number))
        assert keep_reports(written, tmp_path / "kept") == tmp_path / "kept"
    assert {path.name: path.read_text() for path in (tmp_path / "kept").iterdir()} == {"1.json": "1", "2.json": "2"}


def test_a_folder_that_cannot_be_written_is_none(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text("1")
    (tmp_path / "file").write_text("")
    assert keep_reports(tmp_path, tmp_path / "file") is None
