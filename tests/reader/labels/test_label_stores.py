"""Labels are written to containers too, with the credentials of the environment or of the open store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from own_process import clean_environment, own_process  # noqa: F401 - fixtures of every test
from read_lines import line

import otel_modeldata_reader as reader
from otel_modeldata_reader.exceptions import LabelError
from otel_modeldata_reader.labels import LabelWriter, label_frames, label_writer
from otel_modeldata_receiver.config.store_access import AccessConfig

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite

INPUTS = f"prod/shop/blue/model_inputs/2026/11/22/10/{0:032x}000000.jsonl"


@pytest.fixture
def container(azurite: Azurite) -> str:
    name = azurite.new_container()
    with azurite.open(name) as client:
        client.upload_blob(INPUTS, line(number=0) + line(number=1))
    return name


def labels_of(store: reader.Store) -> dict[str, object]:
    table = store.read("shop/blue/ground_truth", envelope=False).to_arrow()
    return dict(zip(table["row_id"].to_pylist(), table["label"].to_pylist(), strict=True))


@pytest.mark.slow
def test_ten_thousand_labels_are_written_to_a_container(
    azurite: Azurite, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    labels = {f"request-{number}_0": number for number in range(10_000)}
    with reader.open(f"az://{container}/prod") as store:
        assert store.label_all(labels) == 10_000
        assert labels_of(store) == labels
    lines = [text for name, blob in azurite.blobs(container).items() if name != INPUTS for text in blob.splitlines()]
    assert len(lines) == 2


@pytest.mark.slow
def test_the_access_of_the_open_store_is_that_of_its_labels(
    azurite: Azurite, container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    (tmp_path / "connection").write_text(azurite.connection_string, "utf-8")
    access = AccessConfig(connection_string_file=str(tmp_path / "connection"))
    with reader.open(f"az://{container}/prod", access=access) as store:
        store.label("request-0_0", "kept")
        assert labels_of(store) == {"request-0_0": "kept"}


@pytest.mark.slow
def test_a_container_that_refuses_labels_is_one_sentence_without_the_key(
    azurite: Azurite, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string.replace(azurite.key, "d3Jvbmc="))
    (frame,) = label_frames({"request-0_0": 1})
    with (
        LabelWriter(f"az://{container}/prod", "shop/blue", timeout=1) as writer,
        pytest.raises(LabelError, match="got 403 AuthorizationFailure") as refused,
    ):
        writer.write(frame)
    assert "d3Jvbmc=" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.slow
def test_labels_with_many_sets_of_columns_are_delivered_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[list[int]] = []
    write = label_writer._encoded
    monkeypatch.setattr(
        label_writer, "_encoded", lambda frames: (sent.append([len(frame) for frame in frames]), write(frames))[1]
    )
    labels = {f"a_{number}": {f"c{number}": number} for number in range(450)}
    with LabelWriter(str(tmp_path), "shop/blue") as writer:
        assert (
            writer.write(*label_frames(labels), *label_frames({f"b_{number}": 1 for number in range(9_990)})) == 10_440
        )
    assert [(len(sizes), sum(sizes)) for sizes in sent] == [(200, 200), (200, 200), (51, 5000), (1, 5000), (1, 40)]
    assert reader.open(tmp_path).read("shop/blue/ground_truth").to_arrow().num_rows == 10_440
