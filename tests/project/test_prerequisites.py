"""A tool that a test needs: skipped without it, and installed or missed by the whole run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from prerequisites import need

TOOL = "a-tool-that-no-machine-has"
SENTENCE = f"expected {TOOL!r} on the PATH, found none: install it"
APT_GET = """#!/bin/sh
echo "$DEBIAN_FRONTEND $*" >> {folder}/calls
case "$*" in *" install "*) printf '#!/bin/sh\\n' > {folder}/{makes}; chmod +x {folder}/{makes};; esac
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of the PATH beside that of the shell's programs."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{Path(shutil.which('chmod') or '/bin/chmod').parent}")
    monkeypatch.setenv("OTEL_MODELDATA_TEST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("CI", "true")
    return tmp_path


def with_apt_get(machine: Path, makes: str = TOOL) -> None:
    path = machine / "apt-get"
    path.write_text(APT_GET.format(folder=machine, makes=makes))
    path.chmod(0o755)


def test_the_whole_run_installs_a_tool_of_debian_once(machine: Path) -> None:
    with_apt_get(machine)
    for _ in range(2):
        assert need(TOOL, "install it", debian="a-package") == str(machine / TOOL)
    assert (machine / "calls").read_text().splitlines() == [
        "noninteractive -qq update",
        "noninteractive -qq install --yes --no-install-recommends a-package",
    ]


def test_a_package_without_the_tool_is_a_failure(machine: Path) -> None:
    with_apt_get(machine, makes="another-tool")
    with pytest.raises(pytest.fail.Exception, match=SENTENCE):
        need(TOOL, "install it", debian="a-package")


@pytest.mark.parametrize("user", [0, 1000])
def test_without_apt_get_or_root_nothing_is_installed_and_the_whole_run_fails(
    machine: Path, monkeypatch: pytest.MonkeyPatch, user: int
) -> None:
    if user:
        with_apt_get(machine)
    else:
        monkeypatch.setenv("PATH", str(machine))
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(pytest.fail.Exception, match=SENTENCE):
        need(TOOL, "install it", debian="a-package")
    assert not (machine / "calls").exists()


def test_another_run_skips_the_test_and_installs_nothing(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_apt_get(machine)
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match=SENTENCE):
        need(TOOL, "install it", debian="a-package")
    assert not (machine / "calls").exists()
