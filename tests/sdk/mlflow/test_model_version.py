from __future__ import annotations

import gc
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from otel_modeldata._mlflow.model_version import ByIdentity, registered_version, version_of

if TYPE_CHECKING:
    from pathlib import Path

NOTE = "model_name: iris\nmodel_version: '7'\n"


@dataclass(eq=False)
class Metadata:
    model_id: str | None = None
    model_uuid: str | None = None
    run_id: str | None = None


@dataclass
class Model:
    """Equal to any other with equal metadata, and not hashable, like MLflow's."""

    metadata: Any = field(default_factory=Metadata)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (Metadata("m-1", "u-1", "r-1"), "m-1"),
        (Metadata(None, "u-1", "r-1"), "u-1"),
        (Metadata(None, None, "r-1"), "r-1"),
        (Metadata(), "default"),
        (None, "default"),
        (Metadata("m" * 500), "m" * 128),
    ],
)
def test_an_unregistered_model_is_named_by_its_metadata(metadata: object, expected: str) -> None:
    """S65."""
    assert version_of(Model(metadata), ByIdentity()) == expected


def test_a_registered_version_comes_first() -> None:
    model, registered = Model(Metadata("m-1")), ByIdentity[str]()
    registered.remember(model, "7")
    assert version_of(model, registered) == "7"
    assert version_of(Model(model.metadata), registered) == "m-1"


def test_a_remembered_value_is_forgotten_with_its_object() -> None:
    known = ByIdentity[str]()
    model = Model()
    known.remember(model, "7")
    del model
    gc.collect()
    assert known._known == {}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("models:/iris/3", "3"),
        ("models:/catalog.schema.iris/12", "12"),
        ("models:/iris@champion", None),
        ("models:/iris/Production", None),
        ("models:/m-0123456789abcdef", None),
        ("runs:/0123/model", None),
        ("s3://bucket/azureml-models/iris/3", None),
        ("/var/azureml-app/azureml-models/iris/4/model", "4"),
        ("file:///var/azureml-app/azureml-models/iris/5", "5"),
        ("relative/model", None),
    ],
)
def test_the_version_is_read_from_the_models_uri_or_folder(uri: str, expected: str | None) -> None:
    assert registered_version(uri) == expected


def test_mlflows_note_beside_a_downloaded_model_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    (folder / "registered_model_meta").write_text(NOTE)
    assert registered_version(str(folder)) == registered_version(folder.as_uri()) == "7"
    assert registered_version(os.path.relpath(folder)) == "7"


@pytest.mark.parametrize("note", ["", "- 1", "model_name: iris"])
def test_a_note_without_a_version_is_ignored(tmp_path: Path, note: str) -> None:
    (tmp_path / "registered_model_meta").write_text(note)
    assert registered_version(str(tmp_path)) is None
