"""What prevents a folder from being made is known before anything is made."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from otel_modeldata.validation.folder_access import obstacle


def test_a_folder_that_is_there_or_can_be_made_has_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert [obstacle(tmp_path / name) for name in ("", "new/below", "link", "link/new")] == [""] * 4
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_each_obstacle_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "broken").symlink_to(tmp_path / "nothing")
    assert obstacle(tmp_path / "file") == "a file"
    assert "Not a directory" in obstacle(tmp_path / "file" / "below")
    assert obstacle(tmp_path / "broken" / "below") == f"a link to nothing in {str(tmp_path / 'broken')!r}"
    assert "name too long" in obstacle(tmp_path / "new" / ("x" * 300))


@pytest.mark.skipif(sys.platform != "linux", reason="file systems of Linux")
def test_a_folder_in_a_file_system_of_the_kernel_is_an_obstacle(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc")
    expected = "one in a file system of the kernel (proc), which stores no files"
    if os.geteuid():
        expected = "one without write access"
    assert obstacle(Path("/proc/x")) == obstacle(tmp_path / "link" / "x") == expected


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_write_access_is_an_obstacle(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert obstacle(tmp_path / "new") == "one without write access"
