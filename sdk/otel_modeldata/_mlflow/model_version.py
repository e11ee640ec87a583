"""Which version of a model answered: the line key `modelversion`.

The first that is known:

1. the version in the registry of MLflow or Azure ML that the model was loaded from: `models:/name/3`, a folder in which
   MLflow left its note about that, a folder below Azure's `azureml-models/name/3`;
2. the `model_id`, `model_uuid` or `run_id` of its metadata: not a number, but this very model;
3. `default`, as Azure's own collector always says.
"""

from __future__ import annotations

import re
import weakref
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import unquote, urlsplit

from .. import semconv

T = TypeVar("T")

_REGISTRY_NOTE = "registered_model_meta"
"""Written by MLflow beside the `MLmodel` of a model that it downloads from its registry."""
_MAX_NOTE_BYTES = 64 * 2**10
_MLFLOW_URI = re.compile(r"models:/+[^/]+/(\d+)(/|$)")
_AZURE_FOLDER = re.compile(r"/azureml-models/[^/]+/(\d+)(/|$)")
_MAX_LENGTH = 128


class ByIdentity(Generic[T]):
    """What is remembered of objects as long as they live; models are neither hashable nor ours to write on."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], T]] = {}

    def remember(self, key: object, value: T) -> None:
        """Remember `value` for this very object."""
        number, known = id(key), self._known
        known[number] = (weakref.ref(key, lambda _: known.pop(number, None)), value)

    def recall(self, key: object) -> T | None:
        """What is remembered for it."""
        reference, value = self._known.get(id(key), (None, None))
        return value if reference is not None and reference() is key else None


def version_of(model: Any, registered: ByIdentity[str]) -> str:
    """The version of a model (see above); `registered` holds those that a registry gave."""
    metadata = model.metadata
    ids = (getattr(metadata, name, None) for name in ("model_id", "model_uuid", "run_id"))
    found = next((value for value in (registered.recall(model), *ids) if value), semconv.DEFAULT_MODEL_VERSION)
    return str(found)[:_MAX_LENGTH]


def registered_version(uri: str) -> str | None:
    """The version in a registry that a model's URI or folder names.

    Raises:
        OSError: MLflow's note cannot be read.
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
    import yaml  # noqa: PLC0415 - only processes that load such models pay for the parser

    with note.open(encoding="utf-8") as file:
        fields = yaml.safe_load(file.read(_MAX_NOTE_BYTES))
    version = fields.get("model_version") if isinstance(fields, dict) else None
    return None if version is None else str(version)
