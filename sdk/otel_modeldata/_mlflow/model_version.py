"""The version of a model: the line key `modelversion`.

The first of these that is known:

1. the version in the registry of MLflow or Azure ML that the model was loaded from: `models:/name/3`, a folder with
   MLflow's registry note, or a folder below Azure's `azureml-models/name/3`;
2. the `model_id`, `model_uuid` or `run_id` of its metadata: not a number, but unique to this model;
3. `default`, the value that Azure's own collector always has.
"""

from __future__ import annotations

import re
import weakref
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import unquote, urlsplit

from .. import semconv
from ..validation.yaml_text import read_yaml

T = TypeVar("T")

_REGISTRY_NOTE = "registered_model_meta"
"""Written by MLflow beside the `MLmodel` of a model that it downloads from its registry."""
_MAX_NOTE_BYTES = 64 * 2**10
_MLFLOW_URI = re.compile(r"models:/+[^/]+/(\d+)(/|$)")
_AZURE_FOLDER = re.compile(r"/azureml-models/[^/]+/(\d+)(/|$)")
_MAX_LENGTH = 128


class ByIdentity(Generic[T]):
    """Values by object, while it lives; models may not be hashable, and must not get new attributes."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], T]] = {}

    def remember(self, key: object, value: T) -> None:
        """Remember `value` for this object."""
        number, known = id(key), self._known
        known[number] = (weakref.ref(key, lambda _: known.pop(number, None)), value)

    def recall(self, key: object) -> T | None:
        """The value of this object; None if there is none."""
        reference, value = self._known.get(id(key), (None, None))
        return value if reference is not None and reference() is key else None


def version_of(model: Any, registered: ByIdentity[str]) -> str:
    """The version of a model (see above); `registered` holds the versions from a registry."""
    metadata = model.metadata
    ids = (getattr(metadata, name, None) for name in ("model_id", "model_uuid", "run_id"))
    found = next((value for value in (registered.recall(model), *ids) if value), semconv.DEFAULT_MODEL_VERSION)
    return str(found)[:_MAX_LENGTH]


def registered_version(uri: str) -> str | None:
    """The version in a registry that a model's URI or folder names.

    Raises:
        OSError: MLflow's note cannot be read.
        YamlTextError: it is not YAML.
    """
    if found := _MLFLOW_URI.match(uri):
        return found[1]
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    folder = Path(unquote(parts.path) if parts.scheme else uri)
    if found := _AZURE_FOLDER.search(folder.absolute().as_posix()):
        return found[1]
    note = folder / _REGISTRY_NOTE
    return _noted_version(note) if note.is_file() else None


def _noted_version(note: Path) -> str | None:
    with note.open(encoding="utf-8") as file:
        fields = read_yaml(file.read(_MAX_NOTE_BYTES))
    version = fields.get("model_version") if isinstance(fields, dict) else None
    return None if version is None else str(version)
