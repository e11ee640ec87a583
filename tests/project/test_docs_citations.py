"""Documents, docstrings and comments cite only files that are in the repository."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import TYPE_CHECKING

import pytest
from documents import DOCUMENTS, ROOT, prose_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDERS = ("sdk", "collector_exporter", "tests", "docs", "deploy", "otel-config", ".github", ".ci")
FILES = {
    path.relative_to(ROOT).as_posix()
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts and "node_modules" not in path.parts
} | {path.name for path in ROOT.iterdir() if path.is_file()}

OF_OTHERS = {
    "score.py",  # the user's script
    "batch_scoring.py",  # a user's script in an example
    "app.py",
    "my_batch_job.py",
    "worker/sender.py",  # of azureml-ai-monitoring
    "_schedule_operations.py",  # of azure-ai-ml
}
"""Files of other programs, which comments cite with the program's name."""

CITED = re.compile(r"(?<![\w/.*{-])[\w./-]*[\w-]\.(?:py|md)\b")
ABSENT = re.compile(r"\b(?:design|seed|layout|style) section", re.IGNORECASE)
SOURCES = sorted(path for folder in ("sdk", "collector_exporter", "tests") for path in (ROOT / folder).rglob("*.py"))


COMMENTED = sorted(
    path
    for folder in ("deploy", "otel-config", ".ci", ".github")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and path.suffix in {".yml", ".yaml", ".Dockerfile", ".env", ""}
)
"""Files of other programs, whose comments begin with `#`."""


def _is_there(cited: str, beside: str) -> bool:
    """Whether a cited path is in the repository: from its root, beside the citing file, or by its last parts."""
    name = cited.removeprefix("./")
    while name.startswith("../"):
        name = name.removeprefix("../")
    return name in OF_OTHERS or any(f"/{file}".endswith(f"/{name}") for file in FILES) or name in beside


def _prose_of_code(source: str) -> Iterator[str]:
    """Comments and free-standing texts: docstrings of modules, classes, functions and constants."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_cites_files_that_exist(document: str) -> None:
    prose = re.sub(r"https?://\S+", "", prose_of(document))
    assert sorted({cited for cited in CITED.findall(prose) if not _is_there(cited, document)}) == []


def test_code_cites_files_that_exist() -> None:
    absent: dict[str, list[str]] = {}
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        prose = [re.sub(r"https?://\S+", "", text) for text in _prose_of_code(path.read_text("utf-8"))]
        cited = {cited for text in prose for cited in CITED.findall(text)}
        missing = sorted(one for one in cited if not _is_there(one, name))
        missing += [found[0] for text in prose for found in ABSENT.finditer(text)]
        if missing:
            absent[name] = missing
    assert absent == {}


def test_comments_of_configurations_cite_files_that_exist() -> None:
    absent: dict[str, list[str]] = {}
    for path in COMMENTED:
        name = path.relative_to(ROOT).as_posix()
        comments = "\n".join(line for line in path.read_text("utf-8").splitlines() if line.lstrip().startswith("#"))
        missing = [cited for cited in CITED.findall(comments) if not _is_there(cited, name)]
        missing += [found[0] for found in ABSENT.finditer(comments)]
        if missing:
            absent[name] = missing
    assert absent == {}
