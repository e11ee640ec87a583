"""Studio as users install it: a wheel that needs no network and no Node.js to serve its page."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from typing import TYPE_CHECKING

import pytest
from fresh_environment import INSTALL_SECONDS, ROOT, new_environment, run
from prerequisites import need_uv
from scoring_host import clean_environment

from otel_modeldata_studio.vendoring import COMMAND

if TYPE_CHECKING:
    from pathlib import Path

NO_REGISTRY = {"npm_config_registry": "http://127.0.0.1:9/"}
"""The discard port: nothing answers there."""
PAGE = "sdk/otel_modeldata_studio/page"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a source distribution has, unpacked."""
    folder = tmp_path_factory.mktemp("source")
    run(need_uv(), "build", "--quiet", "--sdist", "--out-dir", folder, ROOT)
    (packed,) = folder.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / packed.name.removesuffix(".tar.gz")


def build(source: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Build a wheel without a registry of npm."""
    return subprocess.run(
        [need_uv(), "build", "--wheel", *options, "--out-dir", folder, source],
        env=clean_environment() | NO_REGISTRY,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )


@pytest.mark.slow
def test_a_source_distribution_has_the_files_so_its_wheel_needs_no_registry(source: Path, tmp_path: Path) -> None:
    done = build(source, tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*.whl"))) == 1


@pytest.mark.slow
def test_a_wheel_is_not_built_without_the_files(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "source")
    shutil.rmtree(tmp_path / "source" / PAGE / "vendor")
    done = build(tmp_path / "source", tmp_path)
    assert done.returncode != 0
    assert "expected the npm package preact" in done.stderr
    assert COMMAND in done.stderr


@pytest.mark.slow
def test_an_editable_installation_goes_on_without_them_and_studio_says_what_to_run(
    source: Path, tmp_path: Path
) -> None:
    shutil.copytree(source, tmp_path / "source")
    shutil.rmtree(tmp_path / "source" / PAGE / "vendor")
    python = new_environment(tmp_path / "environment", sys.executable)
    install = [need_uv(), "pip", "install", "--quiet", "--no-deps", "--python", str(python), "--editable"]
    done = subprocess.run(
        [*install, str(tmp_path / "source")],
        env=clean_environment() | NO_REGISTRY,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    missing = run(python, "-c", "from otel_modeldata_studio import vendoring; print(*vendoring.missing_files())")
    assert missing.split()[0] == "preact.js"


@pytest.mark.long
@pytest.mark.timeout(2 * INSTALL_SECONDS)
def test_a_wheel_in_an_empty_environment_serves_the_page(source: Path, tmp_path: Path) -> None:
    assert build(source, tmp_path).returncode == 0
    (wheel,) = tmp_path.glob("*.whl")
    python = new_environment(tmp_path / "environment", sys.executable)
    run(need_uv(), "pip", "install", "--quiet", "--python", python, f"{wheel}[studio]")
    (tmp_path / "store").mkdir()
    command = [str(python), "-m", "otel_modeldata_receiver", "studio", str(tmp_path / "store"), "--json"]
    served = subprocess.Popen(
        [*command, "--no-browser", "--listen", "127.0.0.1:0"],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert served.stdout is not None
        url = json.loads(served.stdout.readline())["url"]
        for path in ("", "main.js", "theme.css", "vendor/preact.js", "vendor/uplot.js", "vendor/htm.LICENSE.txt"):
            with urllib.request.urlopen(url + path, timeout=60) as answer:
                assert (answer.status, len(answer.read()) > 100) == (200, True), path
        with urllib.request.urlopen(f"{url}api/home", timeout=60) as answer:
            assert json.loads(answer.read())["collections"] == []
    finally:
        served.terminate()
        served.communicate(timeout=60)
    assert served.returncode == 0
