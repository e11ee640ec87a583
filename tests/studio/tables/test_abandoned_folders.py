"""Folders of processes that were killed go with the next one; folders of others stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from otel_modeldata_studio.tables import abandoned_folders, cache_folder
from otel_modeldata_studio.tables.abandoned_folders import lock_folder, remove_abandoned, unlock_folder
from otel_modeldata_studio.tables.cache_folder import CacheFolder

PREFIX = "otel-modeldata-studio-"
WEEK = 7 * 24 * 3600
KILLED = """
import os, signal, sys
from pathlib import Path
from otel_modeldata_studio.tables.cache_folder import CacheFolder

folder = CacheFolder(Path(sys.argv[1]))
folder.new().write_bytes(b"rows")
print(folder.path, flush=True)
sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_folder_of_a_studio_that_was_killed_goes_with_the_next_one(tmp_path: Path) -> None:
    place, others = tmp_path / "cache", tmp_path / "others"
    others.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        (place / f"{PREFIX}abcdefgh").symlink_to(others)
        remove_abandoned(place, PREFIX)
        assert sorted(one.name for one in left.iterdir()) == ["in-use", "lines-00000000.parquet"]  # it runs
        process.communicate("")
    assert process.returncode == -signal.SIGKILL
    assert left.exists()
    folder = CacheFolder(place)
    for thread in [one for one in threading.enumerate() if one.name == "studio-abandoned"]:
        thread.join()
    assert not left.exists()
    assert folder.path.exists()
    assert others.exists()
    folder.close()


def test_a_folder_that_is_taken_for_abandoned_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[Path] = []

    def late(folder: Path) -> int | None:
        if not removed:
            removed.append(folder)
            unlock_folder(lock_folder(folder))
            remove_abandoned(folder.parent, PREFIX)
            assert not folder.exists()
        return lock_folder(folder)

    monkeypatch.setattr(cache_folder, "lock_folder", late)
    folder = CacheFolder(tmp_path)
    assert removed[0] != folder.path
    assert list(tmp_path.iterdir()) == [folder.path]
    folder.close()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The folder of a process that has ended."""
    folder = tmp_path / f"{PREFIX}abcd1234"
    folder.mkdir()
    unlock_folder(lock_folder(folder))
    return folder


def written_before(seconds: float, folder: Path) -> None:
    at = time.time() - seconds
    os.utime(folder, (at, at))


def test_a_lock_of_another_machine_is_no_lock_for_a_week(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a network drive it may hold there only."""
    other = tmp_path / "boot_id"
    other.write_text("another\n")
    monkeypatch.setattr(abandoned_folders, "_BOOT", other)
    written_before(WEEK - 60, left)
    remove_abandoned(tmp_path, PREFIX)
    assert left.exists()
    written_before(WEEK + 60, left)
    remove_abandoned(tmp_path, PREFIX)
    assert not left.exists()


def test_a_folder_that_is_locked_stays_however_old_it_is(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lock_folder(left)
    for boot in (abandoned_folders._BOOT, tmp_path / "none"):
        monkeypatch.setattr(abandoned_folders, "_BOOT", boot)
        written_before(2 * WEEK, left)
        remove_abandoned(tmp_path, PREFIX)
    assert left.exists()
    unlock_folder(lock)
    remove_abandoned(tmp_path, PREFIX)
    assert not left.exists()


def test_a_machine_without_a_number_of_its_start_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abandoned_folders, "_BOOT", tmp_path / "none")
    for name, stays in (("a", True), ("b", True), ("a", False)):
        folder = tmp_path / f"{PREFIX}abcd1234"
        monkeypatch.setattr(abandoned_folders.platform, "node", lambda name=name: name)
        if not folder.exists():
            folder.mkdir()
            unlock_folder(lock_folder(folder))
            continue
        remove_abandoned(tmp_path, PREFIX)
        assert folder.exists() == stays


@pytest.mark.parametrize("name", [f"{PREFIX}notes", f"{PREFIX}abcd1234", "notes"])
@pytest.mark.parametrize("content", ["a.txt", "in-use"])
def test_folders_that_others_made_stay(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / content).write_text("precious")
    remove_abandoned(tmp_path, PREFIX)
    assert (tmp_path / name / content).exists()
