"""The wheel holds the packages and nothing else, and the SDK works alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes, message_from_string
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prerequisites import need_uv
from readme_renderer import markdown

from otel_modeldata._version import AGENT, VERSION

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    command = [need_uv(), "build", "--wheel", "--sdist", "--out-dir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    (built,) = distributions.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """The wheel's metadata, as PyPI shows it."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def test_the_wheel_holds_the_packages_their_types_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "otel_modeldata",
        "otel_modeldata_reader",
        "otel_modeldata_receiver",
        "otel_modeldata_studio",
    }
    packages = ("otel_modeldata", "otel_modeldata_reader", "otel_modeldata_receiver", "otel_modeldata_studio")
    assert {f"{package}/py.typed" for package in packages} <= set(names)


def test_the_metadata_names_the_licences_of_everything_in_the_wheel(wheel: Path, metadata: Message) -> None:
    page = ROOT / "sdk" / "otel_modeldata_studio" / "page"
    packages = json.loads((page / "vendored.json").read_text("utf-8"))["packages"]
    licences = {"Apache-2.0"} | {package["license"] for package in packages}
    assert metadata["License-Expression"] == " AND ".join(sorted(licences))
    files = metadata.get_all("License-File")
    assert files == ["LICENSE", *sorted(f"LICENSES/{package['name']}.txt" for package in packages)]
    with zipfile.ZipFile(wheel) as archive:
        kept = {name.partition(".dist-info/licenses/")[2]: name for name in archive.namelist()}
        for name in files:
            assert archive.read(kept[name]) == (ROOT / name).read_bytes()
        for package in packages:  # the licences are those that came with the packages
            name = package["name"]
            vendored = archive.read(f"otel_modeldata_studio/page/vendor/{name}.LICENSE.txt")
            assert vendored == (ROOT / "LICENSES" / f"{name}.txt").read_bytes()


def _tracked(*folders: str) -> set[str]:
    """The files of the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a clone: a source distribution has no list of its files")
    command = ["git", "ls-files", *folders]
    return set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines())


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    expected = {path.split("/", 1)[1] for path in _tracked("sdk", "collector_exporter")}
    assert expected - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_the_source_distribution_has_what_tests_and_documentation_read(distributions: Path) -> None:
    (built,) = distributions.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        contained = {member.name.split("/", 1)[1] for member in archive.getmembers()}
    vendored = {name for name in contained if name.startswith("sdk/otel_modeldata_studio/page/vendor/")}
    assert len(vendored) > 1
    assert contained - vendored - {"PKG-INFO"} == _tracked()


def test_the_readme_renders_on_pypi(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    problems = StringIO()
    html = markdown.render(str(metadata.get_payload()), stream=problems)
    assert html is not None, problems.getvalue()
    assert html.lstrip().startswith("<h1")


def test_the_metadata_names_the_links_and_the_python_versions(metadata: Message) -> None:
    links = dict(link.split(", ") for link in metadata.get_all("Project-URL", []))
    assert links == PROJECT["urls"]
    assert {"Homepage", "Documentation", "Source", "Changelog", "Issues"} <= set(links)
    assert metadata.get_all("Classifier") == PROJECT["classifiers"]
    assert "otel-modeldata authors" in metadata["Author"]


def test_the_source_distribution_has_the_same_metadata(distributions: Path, metadata: Message) -> None:
    (built,) = distributions.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        (member,) = (member for member in archive.getmembers() if member.name.endswith("/PKG-INFO"))
        file = archive.extractfile(member)
        assert file is not None
        assert message_from_string(file.read().decode()).items() == metadata.items()


def test_the_version_has_one_source() -> None:
    assert version("otel-modeldata") == PROJECT["version"] == VERSION
    assert f"otel-modeldata/{VERSION}" == AGENT
    sources = [path for folder in ("sdk", "collector_exporter") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in sources if f'"{VERSION}"' in path.read_text("utf-8")] == []


def test_the_command_without_the_receiver_extra_names_what_to_install() -> None:
    code = "import sys; sys.modules['aiohttp'] = sys.modules['grpc'] = None\n"
    code += "from otel_modeldata_receiver.commands.main import main\nraise SystemExit(main(['receive']))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert "pip install 'otel-modeldata[receiver]'" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.long
def test_the_wheel_alone_has_doctor_audit_and_check(wheel: Path, tmp_path: Path) -> None:
    """As in the image of a scoring container: no extra, so nothing of Azure's and no terminal library."""
    folder, uv = tmp_path / "venv", need_uv()
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(folder), str(wheel)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AZURE", "PYTHON"))}
    clean |= {"OTEL_MODELDATA_STORE": "./modeldata", "OTEL_MODELDATA_REPORT": "./reports"}

    def run(*arguments: str) -> tuple[int, str, str]:
        command = [str(scripts / "otel-modeldata"), *arguments]
        done = subprocess.run(
            command, env=clean, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout, done.stderr

    installed = subprocess.run(
        [uv, "pip", "list", "--python", str(folder), "--format", "freeze"], capture_output=True, text=True, check=True
    )
    names = {line.partition("=")[0].lower() for line in installed.stdout.splitlines()}
    assert {"rich", "aiohttp", "azure-core", "uvloop", "grpcio-health-checking"} & names == set()
    assert run("doctor")[::2] == (0, "")
    code, out, err = run("audit", "./modeldata", "--report", "./reports")
    assert (code, out.splitlines()[-1], err) == (0, "everything is accounted for", "")
    assert run("check", "--environment")[::2] == (0, "")
    code, _, err = run("receive")
    assert (code, "pip install 'otel-modeldata[receiver]'" in err) == (2, True)
