"""Findings about the receiver's file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from checked_files import GOOD, found

from otel_modeldata_receiver.commands.check.run import check_files

if TYPE_CHECKING:
    from pathlib import Path


def test_a_datastore_missing_in_the_receivers_configuration_is_a_warning(tmp_path: Path) -> None:
    deployment, receiver = tmp_path / "deployment.yml", tmp_path / "receiver.yml"
    paths = {"inputs": "azureml://datastores/mine/paths/a", "outputs": "azureml://datastores/other/paths/b"}
    text = GOOD
    for name, target in paths.items():
        text = text.replace(f"{name}: {{", f"{name}: {{data: {{path: '{target}'}}, ")
    deployment.write_text(text)
    receiver.write_text(f"store: {tmp_path}\ndatastores: {{mine: {tmp_path}}}\n")
    alone, beside = check_files([deployment]), check_files([deployment, receiver])
    assert alone[0].findings == ()
    assert [(one.severity, one.line, one.sentence) for checked in beside for one in checked.findings] == [
        (
            "warning",
            6,
            (
                "data_collector.collections.model_outputs.data.path: the datastore 'other' is not among those of the "
                "receiver's configuration"
            ),
        )
    ]


def test_every_problem_of_a_receiver_is_reported_with_its_line(path: Path) -> None:
    text = "listen: 4327\nstore: ftp://x\nmax_in_flight_bytes: 1\nstroe: x\n"
    assert [(severity, line, text.split(":")[0]) for severity, line, text in found(path, text)] == [
        ("problem", 1, "listen"),
        ("problem", 3, "max_in_flight_bytes"),
        ("problem", 4, "stroe"),
    ]


def test_a_store_that_is_a_file_is_a_problem_and_one_of_another_user_a_warning(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for store in ("file", "file/below"):
        assert [(severity, line) for severity, line, _ in found(path, f"store: {tmp_path / store}\n")] == [
            ("problem", 1)
        ]
    monkeypatch.setattr(os, "access", lambda *_: False)
    expected = f"expected to write into '{tmp_path}/data', got one without write access: correct it or choose another"
    assert found(path, f"store: {tmp_path / 'data'}\n") == [("warning", 1, f"store: {expected}")]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("text", "line", "start"),
    [
        pytest.param("store: ftp://x\n", 1, "problem store: expected a store URL that starts", id="unknown store"),
        pytest.param(
            "tls: {cert_file: /no/c, key_file: /no/k}\nstore: /x\n", 1, "problem tls.cert_file: expected a PEM"
        ),
        pytest.param("store: /x\ndeployments: [/no/where]\n", 2, "problem deployments: ", id="no deployment file"),
        pytest.param("listen: 0.0.0.0:4327\nstore: /x\n", 1, "problem listen: expected an address of this machine"),
        pytest.param(
            "listen: 0.0.0.0:4327\nallow_insecure: true\nstore: /x\n", 1, "warning listen: 0.0.0.0:4327 is open to the"
        ),
        pytest.param("store: ./x\n", 1, "warning store: './x' is relative to the folder in which"),
        pytest.param("store: /x\nrolling_rate: Day\n", 2, "warning rolling_rate: Azure ML's monitors read hour"),
        pytest.param("store: /x\nmax_message_bytes: 4194304\n", 2, "warning max_message_bytes: the gateway's"),
        pytest.param("store: /x\ndeadline_seconds: 40\n", 2, "warning deadline_seconds: the gateway gives up after 30"),
        pytest.param("store: az://data/prod\n", 1, "warning store: expected AZURE_STORAGE_CONNECTION_STRING or"),
    ],
)
def test_a_receivers_file_is_checked_as_the_receiver_reads_it(
    path: Path, text: str, line: int, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_URL", raising=False)
    seen = [(number, f"{severity} {sentence}") for severity, number, sentence in found(path, text)]
    assert [(number, sentence[: len(start)]) for number, sentence in seen][:1] == [(line, start)]


def test_a_good_receiver_file_has_no_finding(path: Path, tmp_path: Path) -> None:
    assert found(path, f"listen: 127.0.0.1:4327\nstore: {tmp_path}\n") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\n", "expected a deployment YAML with data_collector, or settings of a receiver (listen, store, ...)"),
        ("", "expected a deployment YAML with data_collector, or settings of a receiver (listen, store, ...)"),
        ("a: [1\nb: 2", "expected YAML, got while parsing a flow sequence"),
    ],
)
def test_a_file_that_is_neither_is_a_problem(path: Path, text: str, sentence: str) -> None:
    ((severity, _, said),) = found(path, text)
    assert (severity, said[: len(sentence)]) == ("problem", sentence)
