"""Writes the CycloneDX list of what an installation with all extras contains.

uv knows the Python packages. The JavaScript in Studio's page is in the wheel itself, so its packages are added here,
from `page/vendored.json`.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
VENDORED = ROOT / "sdk" / "otel_modeldata_studio" / "page" / "vendored.json"
EXPORT = ["export", "--quiet", "--frozen", "--preview-features", "sbom-export", "--no-default-groups", "--all-extras"]


def component(package: dict[str, Any]) -> dict[str, Any]:
    """A vendored package as CycloneDX has it."""
    algorithm, _, digest = package["integrity"].partition("-")
    name = f"pkg:npm/{package['name']}@{package['version']}"
    return {
        "type": "library",
        "bom-ref": name,
        "name": package["name"],
        "version": package["version"],
        "hashes": [{"alg": algorithm.upper().replace("SHA", "SHA-"), "content": base64.b64decode(digest).hex()}],
        "licenses": [{"license": {"id": package["license"]}}],
        "purl": name,
    }


def sbom(uv: str) -> dict[str, Any]:
    """The whole list.

    Args:
        uv: its path.
    """
    command = [uv, *EXPORT, "--format", "cyclonedx1.5"]
    listed: dict[str, Any] = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)  # noqa: S603
    vendored = [component(package) for package in json.loads(VENDORED.read_text("utf-8"))["packages"]]
    names = [one["bom-ref"] for one in vendored]
    project = listed["metadata"]["component"]
    project["licenses"] = [
        {"expression": tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["license"]}
    ]
    listed["components"] += vendored
    (of_project,) = (one for one in listed["dependencies"] if one["ref"] == project["bom-ref"])
    of_project["dependsOn"] = [*of_project.get("dependsOn", ()), *names]
    listed["dependencies"] += [{"ref": name} for name in names]
    return listed


def main() -> None:
    """Write it to `--output-file`, else to stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output-file", type=Path, help="default: stdout")
    parser.add_argument("--uv", default="uv", help="path of uv (default: that of PATH)")
    arguments = parser.parse_args()
    text = json.dumps(sbom(arguments.uv), indent=2) + "\n"
    if arguments.output_file is None:
        sys.stdout.write(text)
    else:
        arguments.output_file.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
