"""Which places a new file takes: those of files and folders, and what a link names."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from otel_modeldata_reader.exceptions import ExportError
from otel_modeldata_reader.exporting.new_file import new_file


def replace(path: Path, *, overwrite: bool = True) -> Path:
    with new_file(path, overwrite=overwrite) as new:
        new.path.write_text("new", "utf-8")
    return new.final


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("name", "kind"), [("null", "a device"), ("pipe", "a pipe"), ("socket", "a socket"), ("link", "a pipe")]
)
def test_a_place_that_is_no_file_is_refused_and_stays(tmp_path: Path, name: str, kind: str, *, overwrite: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(tmp_path / "socket"))
    path = Path(os.devnull) if name == "null" else tmp_path / name
    before = path.lstat()
    with pytest.raises(ExportError) as caught:
        replace(path, overwrite=overwrite)
    assert str(caught.value) == (
        f"expected the name of a file, got {path}, which is {kind}: name a file, or print rows with otel-modeldata "
        "query --csv"
    )
    assert os.path.samestat(path.lstat(), before)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "pipe", "socket"]


@pytest.mark.parametrize("is_file", [False, True])
def test_standard_output_is_refused_also_if_it_is_a_file(tmp_path: Path, *, is_file: bool) -> None:
    code = (
        "from otel_modeldata_reader.exporting.new_file import new_file\n"
        "print('before', flush=True)\n"
        "try:\n"
        "    with new_file('/dev/stdout', overwrite=True) as new: new.path.write_text('new')\n"
        "except ValueError as error: print(error)\n"
    )
    path = tmp_path / "out"
    with path.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=file if is_file else subprocess.PIPE, timeout=60, check=True
        )
    assert (path.read_text("utf-8") if is_file else done.stdout.decode()) == (
        "before\n"
        f"expected the name of a file, got /dev/stdout, which is {'standard output' if is_file else 'a pipe'}: name a "
        "file, or print rows with otel-modeldata query --csv\n"
    )
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("is_there", [False, True])
def test_a_link_stays_and_what_it_names_is_replaced(tmp_path: Path, *, is_there: bool) -> None:
    real, link = tmp_path / "folder" / "real", tmp_path / "link"
    real.parent.mkdir()
    if is_there:
        real.write_text("old", "utf-8")
    link.symlink_to("folder/real")
    with pytest.raises(ExportError, match=r"^expected a new file, got one that is there, "):
        replace(link, overwrite=False)
    assert real.exists() == is_there
    assert replace(link) == real
    assert link.readlink() == Path("folder/real")
    assert real.read_text("utf-8") == "new"
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["folder", "link", "real"]


def test_a_link_to_itself_or_into_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    loop, lost = tmp_path / "loop", tmp_path / "lost"
    loop.symlink_to("loop")
    lost.symlink_to("missing/real")
    with pytest.raises(ExportError) as caught:
        replace(loop)
    assert str(caught.value) == f"expected the name of a file, got {loop}, a link to itself: correct it"
    with pytest.raises(ExportError) as caught:
        replace(lost)
    missing = tmp_path / "missing"
    assert str(caught.value) == f"expected a folder for real, got none at {missing}: create it"
    assert sorted(tmp_path.iterdir()) == [loop, lost]
