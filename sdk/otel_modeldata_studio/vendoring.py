"""The JavaScript of others that the page uses: fetched from an npm registry, checked, and kept beside the page.

`page/vendored.json` pins each package by version and integrity (sha512, as `package-lock.json` has it), and names the
files that are taken. The build of a wheel runs this (`hatch_build.py`), and so does an editable installation;
`python -m otel_modeldata_studio.vendoring` does it by hand. Users need neither Node.js nor a network: wheels have the
files.

The registry is that of npm: `npm_config_registry`, else `registry` in `~/.npmrc`, else npm's public one.

A build runs this module without the package around it, so it imports only the standard library.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import io
import json
import os
import re
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

__all__ = ["COMMAND", "VendoringError", "missing_files", "vendor"]

COMMAND: Final = "python -m otel_modeldata_studio.vendoring"
"""What fetches the files by hand."""
_PAGE: Final = Path(__file__).parent / "page"
_PUBLIC: Final = "https://registry.npmjs.org/"
_SECONDS: Final = 60
_TRIES: Final = 3
_LARGEST_PACKAGE: Final = 16 << 20
_LARGEST_FILE: Final = 4 << 20
"""Bytes. uPlot, the largest, has 0.15 MiB."""
_STAMP: Final = "files.json"
"""In the folder: the sha256 of each file, and of the list of packages that they are from."""


class VendoringError(Exception):
    """A package cannot be fetched, or is not the one that is pinned; the text is one sentence."""


def missing_files(page: Path = _PAGE) -> list[str]:
    """Names of the files in `page/vendor` that are missing or not those of `vendored.json`."""
    folder, listed = page / "vendor", (page / "vendored.json").read_bytes()
    names = [name for package in json.loads(listed)["packages"] for name in package["files"].values()]
    try:
        stamp = json.loads((folder / _STAMP).read_bytes())
    except (OSError, ValueError):
        return names
    if stamp.get("list") != _digest(listed):
        return names
    return [name for name in names if _digest_of(folder / name) != stamp["files"].get(name)]


def vendor(page: Path = _PAGE) -> list[str]:
    """Fetch the packages of `vendored.json` into `page/vendor`, unless all files are there.

    Returns:
        The names of the files that were written; none if all were there.

    Raises:
        VendoringError: a package cannot be fetched, is not the one that is pinned, or cannot be written.
    """
    if not missing_files(page):
        return []
    listed = (page / "vendored.json").read_bytes()
    files: dict[str, bytes] = {}
    for package in json.loads(listed)["packages"]:
        files |= _taken(package, _archive(package))
    stamp = {"list": _digest(listed), "files": {name: _digest(content) for name, content in files.items()}}
    try:
        (page / "vendor").mkdir(exist_ok=True)
        for name, content in (files | {_STAMP: json.dumps(stamp, indent=1).encode()}).items():
            _write(page / "vendor" / name, content)
    except OSError as error:
        raise VendoringError(f"expected to write into {page / 'vendor'}, got {error.strerror}") from None
    return list(files)


def _archive(package: dict[str, Any]) -> bytes:
    """The package as the registry has it, checked against its integrity."""
    name, version = package["name"], package["version"]
    registry, authorization = _registry()
    url = f"{registry}{quote(name, safe='@/')}/-/{name.rpartition('/')[2]}-{version}.tgz"
    request = urllib.request.Request(url)  # noqa: S310 (checked in `_registry`)
    for header, value in authorization.items():
        request.add_unredirected_header(header, value)  # it is no secret of another host
    for left in reversed(range(_TRIES)):
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 (likewise)
                content: bytes = answer.read(_LARGEST_PACKAGE + 1)
            break
        except urllib.error.HTTPError as error:
            error.close()
            if left and error.code >= 500:
                continue
            raise _unfetched(name, version, f"status {error.code}") from None
        except (OSError, http.client.HTTPException) as error:
            if left:
                continue
            reason = getattr(error, "reason", error)
            raise _unfetched(name, version, str(reason) or type(reason).__name__) from None
    algorithm, _, expected = package["integrity"].partition("-")
    found = base64.b64encode(hashlib.new(algorithm, content).digest()).decode()
    if len(content) > _LARGEST_PACKAGE or not hmac.compare_digest(found, expected):
        raise VendoringError(
            f"expected the npm package {name} {version} with the integrity {package['integrity']}, got {algorithm}-"
            f"{found}: it is not the one that was published; ask who runs the registry"
        )
    return content


def _unfetched(name: str, version: str, reason: str) -> VendoringError:
    return VendoringError(
        f"expected the npm package {name} {version} from the registry, got {reason}: name a registry that is reachable "
        f"in npm_config_registry or ~/.npmrc, then run {COMMAND}"
    )


def _registry() -> tuple[str, dict[str, str]]:
    """The URL of the registry, with a slash at its end, and the headers of a request to it.

    Raises:
        VendoringError: the URL is not one of HTTP.
    """
    written = _npmrc()
    given = next((value for name, value in os.environ.items() if name.lower() == "npm_config_registry" and value), None)
    url = (given or written.get("registry") or _PUBLIC).rstrip("/") + "/"
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise VendoringError("expected the registry of npm to be an http(s) URL: look at npm_config_registry, ~/.npmrc")
    place = f"//{parts.netloc.rpartition('@')[2]}{parts.path}"
    for form, kind in (("_authToken", "Bearer"), ("_auth", "Basic")):
        secret = written.get(f"{place}:{form}") or written.get(f"{place.rstrip('/')}:{form}")
        if secret:
            return url, {"Authorization": f"{kind} {secret}"}
    return url, {}


def _npmrc() -> dict[str, str]:
    """The settings in the user's `.npmrc`, with the variables that they name."""
    path = Path(os.environ.get("npm_config_userconfig") or Path.home() / ".npmrc")  # noqa: SIM112 (npm's own spelling)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    found = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if equals and not name.lstrip().startswith(("#", ";")):
            text = value.strip().strip("\"'")
            found[name.strip()] = re.sub(r"\$\{(\w+)\}", lambda one: os.environ.get(one[1], one[0]), text)
    return found


def _taken(package: dict[str, Any], content: bytes) -> dict[str, bytes]:
    """The files that are taken of a package, with their imports as paths: a browser knows no names of packages."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for inside, name in package["files"].items():
            try:
                member = archive.extractfile(inside)
            except KeyError:
                member = None
            taken = None if member is None else member.read(_LARGEST_FILE + 1)
            if taken is None or len(taken) > _LARGEST_FILE:
                raise VendoringError(f"expected {inside} in the npm package {package['name']}, got none that fits")
            if name.endswith(".js"):
                taken = _with_paths(taken.decode(), package["imports"]).encode()
            found[name] = taken
    return found


def _with_paths(script: str, imports: dict[str, str]) -> str:
    for module, path in imports.items():
        script = script.replace(f'from"{module}"', f'from"{path}"').replace(f"from '{module}'", f"from '{path}'")
    return re.sub(r"\n//# sourceMappingURL=\S+\s*$", "\n", script)  # the map is not vendored


def _write(path: Path, content: bytes) -> None:
    """The whole file or none: a build that is interrupted leaves no half of one."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:  # only to remove the draft; it is raised again
        Path(name).unlink(missing_ok=True)
        raise


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of(path: Path) -> str | None:
    try:
        return _digest(path.read_bytes())
    except OSError:
        return None


def main() -> int:
    """Fetch what is missing, and say so; the exit code."""
    try:
        written = vendor()
    except VendoringError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"written: {', '.join(written)}\n" if written else "every file is there\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
