from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from otel_modeldata_studio import vendoring
from otel_modeldata_studio.vendoring import VendoringError, missing_files, vendor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCRIPT = b'import{options as n}from"preact";export{n};\n//# sourceMappingURL=hooks.mjs.map\n'
VENDORED = b'import{options as n}from"./preact.js";export{n};\n'
COMMAND = "python -m otel_modeldata_studio.vendoring"


def archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


class Registry:
    """A registry of npm on this machine."""

    def __init__(self) -> None:
        self.packages: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.status = 200
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append((self.path, self.headers.get("authorization")))
                content = registry.packages.get(self.path)
                self.send_response(registry.status if content is not None else 404)
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.place = f"//127.0.0.1:{self.server.server_port}/npm/"

    @property
    def url(self) -> str:
        return f"http:{self.place}"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Registry]:
    """The registry that `npm_config_registry` names; nothing else is asked."""
    one = Registry()
    thread = threading.Thread(target=one.server.serve_forever, daemon=True)
    thread.start()
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY", "http_proxy", "https_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("npm_config_userconfig", str(tmp_path / ".npmrc"))
    monkeypatch.setenv("npm_config_registry", one.url)
    yield one
    one.server.shutdown()
    one.server.server_close()
    thread.join()


@pytest.fixture
def page(registry: Registry, tmp_path: Path) -> Path:
    """A page that needs one package, which the registry has."""
    content = archive({"package/dist/hooks.mjs": SCRIPT, "package/LICENSE": b"MIT"})
    registry.packages["/npm/@scope/hooks/-/hooks-1.2.3.tgz"] = content
    folder = tmp_path / "page"
    folder.mkdir()
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    package = {
        "name": "@scope/hooks", "version": "1.2.3", "integrity": f"sha512-{digest}", "license": "MIT",
        "files": {"package/dist/hooks.mjs": "hooks.js", "package/LICENSE": "hooks.LICENSE.txt"},
        "imports": {"preact": "./preact.js"},
    }  # fmt: skip
    (folder / "vendored.json").write_text(json.dumps({"packages": [package]}))
    return folder


def test_files_are_fetched_once_with_imports_that_a_browser_finds(page: Path, registry: Registry) -> None:
    assert missing_files(page) == ["hooks.js", "hooks.LICENSE.txt"]
    assert vendor(page) == ["hooks.js", "hooks.LICENSE.txt"]
    assert (page / "vendor" / "hooks.js").read_bytes() == VENDORED
    assert (page / "vendor" / "hooks.LICENSE.txt").read_bytes() == b"MIT"
    assert missing_files(page) == []
    assert vendor(page) == []
    assert registry.asked == [("/npm/@scope/hooks/-/hooks-1.2.3.tgz", None)]


def test_files_that_are_there_need_no_registry(page: Path, registry: Registry, tmp_path: Path) -> None:
    vendor(page)
    shutil.copytree(page, tmp_path / "unpacked")
    registry.asked.clear()
    assert vendor(tmp_path / "unpacked") == []
    assert registry.asked == []


@pytest.mark.parametrize("change", ["removed", "edited", "another version"])
def test_files_that_are_not_those_of_the_list_are_fetched_again(page: Path, change: str) -> None:
    vendor(page)
    script = page / "vendor" / "hooks.js"
    if change == "removed":
        script.unlink()
    elif change == "edited":
        script.write_bytes(b"evil()")
    else:
        listed = json.loads((page / "vendored.json").read_text())
        listed["packages"][0]["license"] = "MIT, as before"
        (page / "vendored.json").write_text(json.dumps(listed))
    assert "hooks.js" in missing_files(page)
    vendor(page)
    assert script.read_bytes() == VENDORED


def test_another_package_than_the_pinned_one_is_refused(page: Path, registry: Registry) -> None:
    registry.packages["/npm/@scope/hooks/-/hooks-1.2.3.tgz"] = archive({"package/dist/hooks.mjs": b"evil()"})
    with pytest.raises(VendoringError, match=r"it is not the one that was published; ask who runs the registry$"):
        vendor(page)
    assert not (page / "vendor").exists()


def test_a_package_that_the_registry_does_not_have_is_a_sentence(page: Path, registry: Registry) -> None:
    registry.packages.clear()
    with pytest.raises(VendoringError) as caught:
        vendor(page)
    assert str(caught.value) == (
        "expected the npm package @scope/hooks 1.2.3 from the registry, got status 404: name a registry that is "
        f"reachable in npm_config_registry or ~/.npmrc, then run {COMMAND}"
    )


def test_a_registry_that_fails_is_asked_three_times(page: Path, registry: Registry) -> None:
    registry.status = 503
    with pytest.raises(VendoringError, match="got status 503"):
        vendor(page)
    assert len(registry.asked) == 3


def test_no_registry_at_all_is_a_sentence(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    with pytest.raises(VendoringError, match="Connection refused"):
        vendor(page)


def test_the_registry_of_npmrc_gets_its_token(
    page: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("npm_config_registry")
    monkeypatch.setenv("NPM_SECRET", "s3cret")
    (tmp_path / ".npmrc").write_text(
        f"# of the team\nregistry = {registry.url}\n{registry.place}:_authToken=${{NPM_SECRET}}\n"
        "//another.example/:_authToken=other\n"
    )
    vendor(page)
    assert registry.asked == [("/npm/@scope/hooks/-/hooks-1.2.3.tgz", "Bearer s3cret")]


def test_a_registry_that_is_no_url_is_a_sentence(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "file:///etc")
    with pytest.raises(VendoringError, match=r"^expected the registry of npm to be an http\(s\) URL"):
        vendor(page)


def test_the_command_says_what_it_did(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(vendoring.vendor, "__defaults__", (page,))
    assert vendoring.main() == 0
    assert vendoring.main() == 0
    assert capsys.readouterr().out == "written: hooks.js, hooks.LICENSE.txt\nevery file is there\n"
    (page / "vendor" / "hooks.js").unlink()
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    assert vendoring.main() == 1
    assert COMMAND in capsys.readouterr().err
