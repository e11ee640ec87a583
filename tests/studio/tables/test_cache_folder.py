"""Temporary files: none is half written, none stays that is not needed, and a full disk is a sentence."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from compacted_store import typed_line
from opened_studio import opened_studio
from read_lines import COLLECTION, write

from otel_modeldata_reader import ReaderError
from otel_modeldata_reader.window import Window
from otel_modeldata_studio.queries.scans import scan
from otel_modeldata_studio.tables.abandoned_folders import remove_abandoned
from otel_modeldata_studio.tables.cache_folder import CacheFolder, CacheFullError
from otel_modeldata_studio.tables.column import columns_of
from otel_modeldata_studio.web.api import _status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_modeldata_studio.studio import Studio

OPEN = Window()
PREFIX = "otel-modeldata-studio-"
FULL = (
    "expected space for temporary files of Studio, got No space left on device: free some where it runs, or start it "
    "with --cache DIR"
)


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def cache(tmp_path: Path, now: list[float]) -> Iterator[CacheFolder]:
    folder = CacheFolder(tmp_path / "cache", lambda: now[0])
    yield folder
    folder.close()


def files(cache: CacheFolder) -> list[Path]:
    """What is in it beside its lock."""
    return sorted(path for path in cache.path.iterdir() if path.name != "in-use")


def written(cache: CacheFolder) -> Path:
    path = cache.new()
    with cache.writing(path) as partial:
        partial.write_bytes(b"rows")
    return path


def test_the_folder_is_for_this_user_only_and_goes_at_the_end(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path / "a" / "b")
    assert folder.path.parent == tmp_path / "a" / "b"
    assert folder.path.stat().st_mode & 0o777 == 0o700
    written(folder)
    folder.close()
    folder.close()
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_place_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(ReaderError) as caught:
        CacheFolder(file)
    assert str(caught.value) == (
        f"expected a folder for temporary files in '{file}', got File exists: choose another with --cache DIR"
    )


def fail_with(error: Exception, cache: CacheFolder) -> None:
    with cache.writing(cache.new()) as partial:
        partial.write_bytes(b"half")
        raise error


def test_a_file_is_there_whole_or_not_at_all(cache: CacheFolder) -> None:
    with pytest.raises(CacheFullError) as caught:
        fail_with(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), cache)
    assert str(caught.value) == FULL
    with pytest.raises(ZeroDivisionError):
        fail_with(ZeroDivisionError(), cache)
    assert files(cache) == []
    assert _status(caught.value) == 507


def test_a_file_that_is_not_needed_goes_when_no_question_reads_it_any_more(
    cache: CacheFolder, now: list[float], tmp_path: Path
) -> None:
    old, other, again = written(cache), written(cache), written(cache)
    of_store = tmp_path / "part.parquet"
    of_store.write_bytes(b"rows")
    cache.discard([str(old), str(again), str(of_store)])
    now[0] = 59.0
    cache.discard([])
    assert cache.has(again)  # a copy that is needed again
    assert files(cache) == sorted([old, other, again])
    now[0] = 60.0
    cache.discard([])
    assert files(cache) == sorted([other, again])
    assert of_store.exists()
    assert not cache.has(old)


def ids(studio: Studio, store: Path) -> list[str]:
    """The ids of the events that the pieces have."""
    from otel_modeldata_reader.blobs.listing import collections_of

    studio.tables.listing = lambda: collections_of(studio.store.objects.walk())  # type: ignore[method-assign]
    found = studio.tables.pieces(COLLECTION, OPEN, end=float("inf"))
    assert found.pending == 0
    text = scan(found.pieces, columns_of(found.pieces), {}, OPEN, envelope=("event_id",))
    return sorted(one for (one,) in studio.tables.database.rows(text.text, text.parameters))


def test_rows_for_which_there_was_no_space_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    write(store, [typed_line(number) for number in range(10)])
    real = pq.write_table

    def full(_: pa.Table, path: Path, **arguments: Any) -> None:
        path.write_bytes(b"PAR1 half a file")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with opened_studio(store, cache=tmp_path / "cache") as studio:
        before = ids(studio, store)
        write(store, [typed_line(number) for number in range(20)])
        monkeypatch.setattr(pq, "write_table", full)
        for _ in range(3):
            with pytest.raises(CacheFullError):
                ids(studio, store)
        assert [path.suffix for path in files(studio.cache)] == [".parquet"]  # that of before
        monkeypatch.setattr(pq, "write_table", real)
        assert ids(studio, store) == sorted(f"event-{number}" for number in range(20))
        assert set(before) < set(ids(studio, store))


def test_files_that_somebody_removed_are_made_again(tmp_path: Path) -> None:
    store = tmp_path / "store"
    write(store, [typed_line(number) for number in range(10)])
    with opened_studio(store, cache=tmp_path / "cache") as studio:
        before = ids(studio, store)
        for path in files(studio.cache):
            path.unlink()
        assert ids(studio, store) == before


def test_a_folder_that_grows_leaves_no_files_behind(tmp_path: Path) -> None:
    store = tmp_path / "store"
    lines = [typed_line(number) for number in range(60)]
    with opened_studio(store, cache=tmp_path / "cache") as studio:
        now = [0.0]
        studio.cache._clock = lambda: now[0]
        for count in range(1, 60):
            write(store, lines[:count])
            assert len(ids(studio, store)) == count
            now[0] += 61.0
        studio.cache.discard([])
        pieces = studio.tables.pieces(COLLECTION, OPEN, end=float("inf")).pieces
        assert sorted(map(str, studio.cache.path.glob("*.parquet"))) == sorted(piece.path for piece in pieces)


def test_rows_of_an_erased_folder_leave_the_cache(tmp_path: Path) -> None:
    store = tmp_path / "store"
    write(store, [typed_line(number) for number in range(10)])
    with opened_studio(store, cache=tmp_path / "cache") as studio:
        now = [0.0]
        studio.cache._clock = lambda: now[0]
        assert len(ids(studio, store)) == 10
        write(store, [typed_line(99)])
        assert len(ids(studio, store)) == 1
        now[0] = 61.0
        studio.cache.discard([])
        pieces = studio.tables.pieces(COLLECTION, OPEN, end=float("inf")).pieces
        assert sorted(map(str, studio.cache.path.glob("*.parquet"))) == sorted(piece.path for piece in pieces)


def test_a_folder_that_the_system_has_cleaned_up_is_made_again_and_belongs_to_this_studio(tmp_path: Path) -> None:
    write(tmp_path / "store", [typed_line(number) for number in range(4)])
    with opened_studio(tmp_path / "store", cache=tmp_path / "cache") as studio:
        before = ids(studio, tmp_path / "store")
        shutil.rmtree(studio.cache.path)
        assert ids(studio, tmp_path / "store") == before
        assert stat.S_IMODE(studio.cache.path.stat().st_mode) == 0o700
        remove_abandoned(tmp_path / "cache", PREFIX)
        assert studio.cache.path.exists()
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to(path.parent / "others")])
def test_what_others_made_in_the_place_of_the_folder_gets_no_rows(
    make: Callable[[Path], None], cache: CacheFolder
) -> None:
    others = cache.path.parent / "others"
    others.mkdir()
    old = written(cache)
    cache.discard([str(old)])
    shutil.rmtree(cache.path)
    make(cache.path)
    for _ in range(2):
        with pytest.raises(CacheFullError) as caught:
            written(cache)
        assert str(caught.value) == (
            "expected space for temporary files of Studio, got something else in the place of its folder: start it "
            "again"
        )
    cache.close()
    assert os.path.lexists(cache.path)
    assert list(others.iterdir()) == []


def test_a_file_of_another_user_is_none_of_the_folder(cache: CacheFolder) -> None:
    path = written(cache)
    assert cache.has(path)
    assert not cache.has_lost(str(path))
    path.unlink()
    path.symlink_to("in-use")
    assert not cache.has(path)
    assert cache.has_lost(str(path))
    assert not cache.has_lost("/of/the/store.parquet")


def test_the_place_of_the_folder_is_made_again_too(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path / "a" / "b")
    shutil.rmtree(tmp_path / "a")
    assert written(folder).exists()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.close()
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_folder_that_nothing_closes_goes_with_its_process(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from otel_modeldata_studio.tables.cache_folder import CacheFolder\n"
        "folder = CacheFolder(Path(sys.argv[1])); folder.new().write_bytes(b'rows')"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    assert list(tmp_path.iterdir()) == []
