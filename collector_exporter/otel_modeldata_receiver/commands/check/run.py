"""Checks configuration files: detects the kind of each, and lists its problems and warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from otel_modeldata.validation.problems import Problem
from otel_modeldata.validation.yaml_text import YamlTextError, read_yaml

from . import deployment, receiver
from .finding import Finding, problem
from .yaml_lines import YamlLines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["CheckedFile", "Kind", "check_files"]

Kind = Literal["deployment", "receiver"]
_DEPLOYMENT_KEYS: Final = frozenset({"$schema", "data_collector", "endpoint_name", "code_configuration", "name"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """The result for one file.

    Attributes:
        path: as it was given.
        kind: the kind it was read as; None when unknown.
        findings: in the order of their lines.
    """

    path: Path
    kind: Kind | None
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> list[Finding]:
        """The findings that stop a process from starting."""
        return [one for one in self.findings if one.severity == "problem"]


def check_files(paths: Iterable[Path], kind: Kind | None = None) -> list[CheckedFile]:
    """Check each file, and deployment files against the receiver configurations among the files.

    Args:
        paths: deployment YAMLs and receiver configurations.
        kind: the kind of all files; None detects it from their keys.
    """
    files = [_check_file(path, kind) for path in paths]
    known = receiver.datastores([one.path for one in files if one.kind == "receiver"])
    if known is None:
        return files
    return [
        _checked(one.path, one.kind, [*one.findings, *deployment.unknown_datastores(one.path, known)])
        if one.kind == "deployment"
        else one
        for one in files
    ]


def _check_file(path: Path, kind: Kind | None) -> CheckedFile:
    if path.is_dir():
        return _unreadable(path, kind, "expected a YAML file, got a folder: name its files")
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        return _unreadable(
            path,
            kind,
            f"expected a YAML file in UTF-8, got {error.strerror or error}: correct the path, or its permissions",
        )
    except UnicodeDecodeError as error:
        return _unreadable(path, kind, f"expected a YAML file in UTF-8, got {error}")
    try:
        document = read_yaml(text)
    except YamlTextError as error:
        return _unreadable(path, kind, f"expected YAML, got {error}", error.line)
    lines = YamlLines(text)
    kind = kind or _kind_of(document)
    return _checked(path, kind, [*_repeated(kind, lines), *_findings(path, kind, document, lines)])


def _unreadable(path: Path, kind: Kind | None, message: str, line: int | None = None) -> CheckedFile:
    return _checked(path, kind, [Finding(severity="problem", about=Problem("", message), line=line)])


def _checked(path: Path, kind: Kind | None, findings: Iterable[Finding]) -> CheckedFile:
    return CheckedFile(path=path, kind=kind, findings=tuple(sorted(findings, key=lambda one: one.line or 0)))


def _kind_of(document: object) -> Kind | None:
    """The kind of a file, detected from its keys; None when both or neither fit."""
    keys = {str(key) for key in document} if isinstance(document, Mapping) else set()
    if "data_collector" in keys:
        return "deployment"
    of_receiver, of_deployment = keys & receiver.keys(), keys & _DEPLOYMENT_KEYS
    if bool(of_receiver) == bool(of_deployment):
        return None
    return "receiver" if of_receiver else "deployment"


def _findings(path: Path, kind: Kind | None, document: object, lines: YamlLines) -> Iterator[Finding]:
    if kind == "deployment":
        yield from deployment.findings(path, document, lines)
    elif kind == "receiver":
        yield from receiver.findings(path, lines)
    else:
        message = (
            "expected a deployment YAML with data_collector, or settings of a receiver (listen, store, ...), got "
            "neither: choose one with --kind"
        )
        yield problem(Problem("", message), lines)


def _repeated(kind: Kind | None, lines: YamlLines) -> Iterator[Finding]:
    """Repeated keys of a file of an unknown kind; the readers of both kinds refuse them."""
    if kind is not None:
        return
    for path, (first, second) in lines.repeated.items():
        message = f"expected each key once, got it in line {first} and here: only this one counts"
        yield Finding(severity="problem", about=Problem(path, message), line=second)
