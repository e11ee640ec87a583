"""The wheel as a user installs it: both packages, nothing else, and the light half alone works."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from prerequisites import need_uv

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [need_uv(), "build", "--wheel", "--out-dir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_both_packages_their_types_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "otel_modeldata",
        "otel_modeldata_receiver",
    }
    assert {"otel_modeldata/py.typed", "otel_modeldata_receiver/py.typed"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "sdk", "collector_exporter"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    expected = {path.split("/", 1)[1] for path in tracked}
    assert expected - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_the_command_without_the_receiver_extra_names_the_cure() -> None:
    code = "import sys; sys.modules['aiohttp'] = sys.modules['grpc'] = None\n"
    code += "from otel_modeldata_receiver.commands.main import main\nraise SystemExit(main(['receive']))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert "pip install 'otel-modeldata[receiver]'" in result.stderr
    assert "Traceback" not in result.stderr
