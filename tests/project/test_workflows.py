"""Checks GitHub's files without running them: with actionlint, GitHub's schemas and a few rules of this project."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from gateway import NO_GO
from prerequisites import need, need_uv

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
BUILD_SECONDS = 900
"""A first run compiles actionlint: 7 s on an idle machine."""
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def tool(name: str) -> Path:
    return Path(sys.executable).parent / name


def run(*command: str | Path, seconds: float = 120) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text("utf-8"))["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.timeout(BUILD_SECONDS + 60)
def test_actionlint_finds_nothing_in_the_workflows() -> None:
    # Its optional helpers are switched off: the result must not depend on what else is installed.
    command = (need("go", NO_GO), "run", ACTIONLINT, "-shellcheck=", "-pyflakes=", *WORKFLOWS)
    assert run(*command, seconds=BUILD_SECONDS) == ""


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("github-workflows", "workflows/*.yml"),
        ("dependabot", "dependabot.yml"),
        ("github-issue-config", "ISSUE_TEMPLATE/config.yml"),
        ("github-issue-forms", "ISSUE_TEMPLATE/[!c]*.yml"),
    ],
)
def test_the_files_for_github_match_its_schemas(schema: str, pattern: str) -> None:
    files = sorted(GITHUB.glob(pattern))
    assert files
    run(tool("check-jsonschema"), "--builtin-schema", f"vendor.{schema}", *files)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit_and_its_version_is_a_comment(workflow: Path) -> None:
    used = [line.strip() for line in workflow.read_text("utf-8").splitlines() if "uses:" in line]
    pinned = re.compile(r"(- )?uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in used if not pinned.fullmatch(line)] == []
    assert used


def test_one_action_has_one_version_in_all_workflows() -> None:
    pins = {step["uses"] for workflow in WORKFLOWS for step in steps(workflow) if "uses" in step}
    assert len({pin.partition("@")[0] for pin in pins}) == len(pins)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_unless_a_job_asks_for_more(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_text("utf-8"))["permissions"] in ({}, {"contents": "read"})


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_only_tasks_that_exist(workflow: Path) -> None:
    called = {name for step in steps(workflow) for name in re.findall(r"\bpoe (\w+)", step.get("run", ""))}
    assert called - set(PYPROJECT["tool"]["poe"]["tasks"]) == set()


def test_the_python_versions_of_the_matrix_equal_the_classifiers() -> None:
    jobs = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]
    claimed = re.findall(r"Python :: (3\.\d+)", "\n".join(PYPROJECT["project"]["classifiers"]))
    oldest = [step["run"] for step in jobs["lowest-versions"]["steps"] if "uv python install" in step.get("run", "")]
    assert [*oldest, *jobs["tests"]["strategy"]["matrix"]["python"]] == [
        f"uv python install {claimed[0]}",
        *claimed[1:],
    ]
    assert PYPROJECT["project"]["requires-python"] == f">={claimed[0]}"


def test_dependabot_looks_only_into_folders_that_exist() -> None:
    for update in yaml.safe_load((GITHUB / "dependabot.yml").read_text("utf-8"))["updates"]:
        for folder in update.get("directories", [update.get("directory")]):
            assert ROOT.joinpath(folder.lstrip("/")).is_dir(), folder


def test_the_hooks_are_valid_and_run_the_locked_tools() -> None:
    run(tool("pre-commit"), "validate-config")
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    assert {hook["entry"].split()[0] for hook in repos[0]["hooks"]} == {"uv"}


def test_every_task_has_a_line_of_help() -> None:
    listed = run(tool("poe"), "--help")
    for name, task in PYPROJECT["tool"]["poe"]["tasks"].items():
        assert task["help"].split(";")[0] in " ".join(listed.split()), name


def test_coverage_is_measured_with_branches_and_has_a_lower_bound() -> None:
    assert PYPROJECT["tool"]["coverage"]["run"]["branch"] is True
    assert PYPROJECT["tool"]["coverage"]["report"]["fail_under"] >= 80
    assert "--cov" in PYPROJECT["tool"]["poe"]["tasks"]["coverage"]["cmd"]
    assert "pytest-cov" in run(sys.executable, "-m", "pytest", "--version", "--version")
    packages = PYPROJECT["tool"]["coverage"]["run"]["source_pkgs"]
    assert {Path(path).name for path in PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]} == set(
        packages
    )


def test_the_sbom_of_a_release_lists_each_dependency_and_the_javascript_in_the_wheel(tmp_path: Path) -> None:
    written = tmp_path / "sbom.json"
    command = PYPROJECT["tool"]["poe"]["tasks"]["sbom"]["cmd"].split()
    assert command[0] == "python"
    run(sys.executable, *command[1:], "--uv", need_uv(), "--output-file", str(written))
    listed = json.loads(written.read_text("utf-8"))
    components = {component["name"]: component for component in listed["components"]}
    assert {re.split(r"[>=;\[ ]", text)[0].lower() for text in PYPROJECT["project"]["dependencies"]} <= set(components)
    htm = components["htm"]
    assert (htm["purl"], htm["licenses"]) == ("pkg:npm/htm@3.1.1", [{"license": {"id": "Apache-2.0"}}])
    (digest,) = htm["hashes"]
    assert (digest["alg"], len(digest["content"])) == ("SHA-512", 128)
    project = listed["metadata"]["component"]
    assert project["licenses"] == [{"expression": PYPROJECT["project"]["license"]}]
    (used,) = (one["dependsOn"] for one in listed["dependencies"] if one["ref"] == project["bom-ref"])
    vendored = json.loads((ROOT / "sdk/otel_modeldata_studio/page/vendored.json").read_text("utf-8"))["packages"]
    names = {f"pkg:npm/{one['name']}@{one['version']}" for one in vendored}
    assert names <= set(used)
    references = [one["bom-ref"] for one in listed["components"]]
    assert len(references) == len(set(references))
    assert {one for one in used if one not in references} == set()
