"""The deployment YAML files that the operator gives to the receiver, as Azure ML defines them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_modeldata import config as sdk_config
from otel_modeldata.exceptions import ConfigError as SdkConfigError
from otel_modeldata.validation.problems import Problem
from otel_modeldata.validation.yaml_text import YamlTextError, read_yaml

from ..exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from otel_modeldata.config import CollectorConfig

__all__ = ["DeploymentFiles"]

_SUFFIXES: Final = frozenset({".yml", ".yaml", ".json"})


class DeploymentFiles:
    """Reads deployment YAMLs.

    Args:
        paths: files and folders. In a folder, every `*.yml`, `*.yaml` and `*.json` file with a `data_collector` is
            read; other files may be endpoints or conda environments.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = [Path(path) for path in paths]

    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Path, time of change and size of each file: different after a file was written, added or removed."""
        return tuple(sorted(_stamps(path for path, _ in self._files())))

    def read(self) -> list[CollectorConfig]:
        """Every deployment; each has `endpoint` and `deployment`.

        Raises:
            ConfigError: files are missing or wrong, or two are for one deployment; lists all problems.
        """
        configs: dict[tuple[str, str], CollectorConfig] = {}
        paths: dict[tuple[str, str], Path] = {}
        problems: list[Problem] = []
        for path, named in self._files():
            try:
                config = _read(path, named=named)
            except ConfigError as error:
                problems.extend(error.problems)
                continue
            if config is None:
                continue
            key = (str(config.endpoint).lower(), str(config.deployment).lower())
            if key in configs:
                problems.append(_second_file(path, config, paths[key]))
            else:
                configs[key], paths[key] = config, path
        if problems:
            raise ConfigError(*problems)
        return list(configs.values())

    def _files(self) -> Iterator[tuple[Path, bool]]:
        """Every file, and whether its own path was given."""
        for path in self._paths:
            if path.is_dir():
                yield from ((file, False) for file in sorted(path.iterdir()) if file.suffix.lower() in _SUFFIXES)
            else:
                yield path, True


def _read(path: Path, *, named: bool) -> CollectorConfig | None:
    """The deployment of a file; None for another file of a folder."""
    if not named and not _has_data_collector(path):
        return None
    try:
        config = sdk_config.read_deployment(path)
    except SdkConfigError as error:
        raise ConfigError(*error.problems) from None
    for key, value in (("endpoint_name", config.endpoint), ("name", config.deployment)):
        if value is None:
            raise ConfigError(
                Problem(
                    key, "expected a name, got none: the receiver must know which deployment the file is for", str(path)
                )
            )
    return config


def _has_data_collector(path: Path) -> bool:
    """Whether a file may be a deployment; True for a file that is not YAML, so that its problem is reported."""
    try:
        document = read_yaml(path.read_bytes())
    except (OSError, YamlTextError):
        return True
    return isinstance(document, dict) and "data_collector" in document


def _second_file(path: Path, config: CollectorConfig, first: Path) -> Problem:
    message = f"expected one file for {config.endpoint}/{config.deployment}, got {first} as well: remove one of them"
    return Problem("", message, str(path))


def _stamps(paths: Iterable[Path]) -> Iterator[tuple[str, int, int]]:
    for path in paths:
        try:
            state = path.stat()
        except OSError:
            yield str(path), 0, -1
        else:
            yield str(path), state.st_mtime_ns, state.st_size
