"""The command `otel-modeldata check`: explains what is wrong with configuration before a process starts with it.

`run.py` reads the files; `deployment.py` and `receiver.py` check the two kinds.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from ...exceptions import ConfigError
from ..missing_package import missing_package
from ..store_argument import path_argument
from ..terminal import wrapped

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from otel_modeldata.config import CollectorConfig
    from otel_modeldata.environment import Environment

    from .finding import Finding
    from .run import CheckedFile

_DESCRIPTION: Final = """\
Read configuration files and explain everything that is wrong with them, one
line each, with its place in the file. Files are deployment YAMLs as Azure ML
documents them (data_collector) and configurations of `otel-modeldata receive`.

A problem stops a process from starting. A warning is about a setting that works
here but may cause problems elsewhere, mainly in Azure ML's own tools and
monitors. Nothing is contacted.
"""
_EPILOG: Final = """\
examples:
  otel-modeldata check deployment.yml receiver.yaml
      check both, and that the receiver has the datastores of the deployment
  otel-modeldata check --environment
      show what a Collector started with the variables of this shell collects,
      and where it sends events
  otel-modeldata check --json deployment.yml

exit codes:
  0    no problem; there may be warnings
  1    problems
  2    wrong command line
  130  Ctrl-C
"""


def complete(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `check` its texts and arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument(
        "files", metavar="FILE", type=path_argument, nargs="*", help="deployment YAML or receiver configuration"
    )
    parser.add_argument(
        "--kind", choices=("deployment", "receiver"), help="what the files are (default: by their keys)"
    )
    parser.add_argument("--environment", action="store_true", help="check the variables of this shell as well")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=check)


def check(arguments: argparse.Namespace) -> None:
    """Check files and print the findings; exit with code 1 when there are problems.

    Raises:
        ConfigError: a wrong command line, or missing dependencies.
    """
    if not arguments.files and not arguments.environment:
        raise ConfigError("expected a FILE or --environment, got neither; otel-modeldata check --help has examples")
    try:
        from otel_modeldata.environment import read_environment  # noqa: PLC0415 (only this command needs them)

        from .run import check_files  # noqa: PLC0415
    except ImportError as error:
        raise missing_package(error, "receiver") from None
    files = check_files(arguments.files, arguments.kind)
    environment = read_environment() if arguments.environment else None
    sys.stdout.write(_as_json(files, environment) if arguments.json else _as_text(files, environment))
    if any(one.problems for one in files) or (environment is not None and environment.problems):
        sys.exit(1)


def _as_json(files: Sequence[CheckedFile], environment: Environment | None) -> str:
    facts: dict[str, Any] = {
        "files": [
            {"file": str(one.path), "kind": one.kind, "findings": [_facts(finding) for finding in one.findings]}
            for one in files
        ]
    }
    if environment is not None:
        facts["environment"] = {**dict(_shown(environment)), "problems": [str(one) for one in environment.problems]}
        facts["environment"]["warnings"] = [str(one) for one in (*environment.warnings, *environment.misspelled)]
    return json.dumps(facts) + "\n"


def _facts(finding: Finding) -> dict[str, Any]:
    return {"severity": finding.severity, "line": finding.line, "sentence": finding.sentence}


def _as_text(files: Sequence[CheckedFile], environment: Environment | None) -> str:
    """One line for each finding, as compilers write them, so that editors can jump to it; wrapped for a person."""
    printed = []
    for one in files:
        printed += [
            f"{one.path}{f':{finding.line}' if finding.line else ''}: {finding.severity}: {finding.sentence}"
            for finding in one.findings
        ]
        printed += [] if one.findings else [f"{one.path}: no problem in this {one.kind} file"]
    if environment is not None:
        printed += [f"environment: {name}: {value}" for name, value in _shown(environment)]
        printed += [f"environment: problem: {about}" for about in environment.problems]
        printed += [f"environment: warning: {about}" for about in (*environment.warnings, *environment.misspelled)]
    for_person = sys.stdout.isatty() or os.environ.get("COLUMNS")  # whole for a pipe or a file
    return "\n".join(wrapped(printed) if for_person else printed) + "\n"


def _collects(config: CollectorConfig) -> str:
    if not config.enabled:
        return "nothing"
    if config.collections is None:
        return f"every collection at {config.sampling_rate * 100:g} %"
    enabled = [name for name, entry in config.collections.items() if entry.enabled]
    return ", ".join(f"{name} at {config.rate_of(name) * 100:g} %" for name in enabled) or "nothing"


def _shown(environment: Environment) -> list[tuple[str, str]]:
    """What the SDK does with these variables, without possible secrets."""
    from ...config.receiver import shown_store  # noqa: PLC0415 (see above)

    shown = [("configuration", environment.config_origin)]
    if environment.config is not None:
        shown.append(("collects", _collects(environment.config)))
    if environment.store is not None:
        shown.append(("writes to", f"{shown_store(environment.store)}, in the same process"))
    elif environment.endpoint is not None:
        scheme = "https" if environment.endpoint.secure else "http"
        names_sent = ", ".join(name for name, _ in environment.endpoint.metadata())
        shown.append(("sends to", f"{scheme}://{environment.endpoint.target}"))
        shown += [("headers", names_sent)] if names_sent else []
    if environment.spool is not None:
        shown.append(("spool", str(environment.spool)))
    return shown
