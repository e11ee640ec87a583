"""The operator's deployment files: Azure's deployment YAMLs, read for what the receiver has to do with their data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from otel_modeldata import config as sdk_config
from otel_modeldata.exceptions import ConfigError as DeploymentError
from otel_modeldata.problems import Problem

from ..exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from otel_modeldata.config import CollectorConfig

__all__ = ["DeploymentFiles"]

_SUFFIXES: Final = frozenset({".yml", ".yaml", ".json"})


class DeploymentFiles:
    """Deployment YAMLs by path.

    Args:
        paths: files, and folders that are looked into: every `*.yml`, `*.yaml` and `*.json` in them that has a
            `data_collector` (endpoints and conda environments often lie beside a deployment).
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = [Path(path) for path in paths]

    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Changes when a file is written, added or removed: path, time of change and size of each."""
        return tuple(sorted(_stamps(path for path, _ in self._files())))

    def read(self) -> list[CollectorConfig]:
        """Every deployment; each has `endpoint` and `deployment`.

        Raises:
            ConfigError: files are missing or wrong, or two speak of one deployment; the message lists all problems.
        """
        found: dict[tuple[str, str], tuple[Path, CollectorConfig]] = {}
        problems: list[Problem] = []
        for path, named in self._files():
            try:
                config = _read(path, named=named)
                if config is not None:
                    _add(found, path, config)
            except DeploymentError as error:
                problems.extend(error.problems)
        if problems:
            raise ConfigError(*problems)
        return [config for _, config in found.values()]

    def _files(self) -> Iterator[tuple[Path, bool]]:
        """Every file, and whether it was named itself."""
        for path in self._paths:
            if path.is_dir():
                yield from ((file, False) for file in sorted(path.iterdir()) if file.suffix.lower() in _SUFFIXES)
            else:
                yield path, True


def _read(path: Path, *, named: bool) -> CollectorConfig | None:
    if not named and not _has_data_collector(path):
        return None
    config = sdk_config.read_deployment(path)
    for key, value in (("endpoint_name", config.endpoint), ("name", config.deployment)):
        if value is None:
            raise ConfigError(
                Problem(key, "expected a name, got none: the receiver has to know whose file it is", str(path))
            )
    return config


def _has_data_collector(path: Path) -> bool:
    """Whether a file may be meant as a deployment; one that is no YAML may, and is complained about."""
    try:
        document = yaml.safe_load(path.read_bytes())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return True
    return isinstance(document, dict) and "data_collector" in document


def _add(found: dict[tuple[str, str], tuple[Path, CollectorConfig]], path: Path, config: CollectorConfig) -> None:
    key = (str(config.endpoint).lower(), str(config.deployment).lower())
    if key in found:
        raise ConfigError(
            Problem(
                "",
                f"expected one file for {config.endpoint}/{config.deployment}, got {found[key][0]} as well: "
                "remove one of them",
                str(path),
            )
        )
    found[key] = (path, config)


def _stamps(paths: Iterable[Path]) -> Iterator[tuple[str, int, int]]:
    for path in paths:
        try:
            state = path.stat()
        except OSError:
            yield str(path), 0, -1
        else:
            yield str(path), state.st_mtime_ns, state.st_size
