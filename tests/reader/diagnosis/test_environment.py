"""What the settings of a sender say of missing data; they are read as a Collector reads them."""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from missing_data import NAME, causes, folder, hours, sentence
from read_lines import line, write

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path

NAMES = "azureml.endpoint.name=shop,azureml.deployment.name=blue"
ENVIRON = {"OTEL_RESOURCE_ATTRIBUTES": NAMES}


def why(store: Path, name: str = NAME, **variables: str) -> reader.Diagnosis:
    """The diagnosis of a store that has data, for a sender with these variables."""
    if not any(store.rglob("*.jsonl")):
        write(store, [line(producer="p", producersequence="0")], hour=folder(0))
    return reader.why(store, name, environ=ENVIRON | variables)


def deployment(folder: Path, **block: Any) -> str:
    path = folder / "deployment.yml"
    path.write_text(json.dumps({"endpoint_name": "shop", "name": "blue", "data_collector": block}))
    return str(path)


def test_a_sender_whose_settings_are_right(tmp_path: Path) -> None:
    found = why(tmp_path)
    assert (causes(found), found.is_stopped) == ([], False)
    assert [one.cause for one in found.findings][:3] == ["collected", "names", "target"]
    assert sentence(found, "target") == "events are sent to http://localhost:4317"


@pytest.mark.parametrize(
    ("entry", "cause", "outcome"),
    [
        ({"enabled": False}, "collection_off", "stopped"),
        ({}, "collection_off", "stopped"),
        ({"enabled": True, "sampling_rate": 0}, "nothing_sampled", "stopped"),
        ({"enabled": True, "sampling_rate": 0.01}, "low_sampling_rate", "suspect"),
        ({"enabled": True}, None, None),
    ],
)
def test_how_a_collection_is_configured(
    tmp_path: Path, entry: dict[str, Any], cause: str | None, outcome: str | None
) -> None:
    config = deployment(tmp_path, collections={"model_inputs": entry, "model_outputs": {"enabled": True}})
    found = why(tmp_path / "store", OTEL_MODELDATA_CONFIG=config)
    expected = [] if cause is None else [(cause, outcome)]
    assert [one for one in causes(found) if one[0] != "doubtful_setting"] == expected
    if cause is not None:
        assert f"OTEL_MODELDATA_CONFIG={config}" in sentence(found, cause)
        assert found.findings[0].run == ("otel-modeldata check --environment",)


def test_a_collection_that_is_not_listed_and_a_file_without_any(tmp_path: Path) -> None:
    config = deployment(tmp_path, collections={"model_outputs": {"enabled": True}})
    found = why(tmp_path / "store", OTEL_MODELDATA_CONFIG=config)
    assert causes(found) == [("collection_not_listed", "stopped")]
    assert sentence(found, "collection_not_listed").endswith("which is off then; it lists model_outputs")
    assert causes(why(tmp_path / "store", "shop/blue", OTEL_MODELDATA_CONFIG=config)) == []
    config = deployment(tmp_path, collections={"model_outputs": {"enabled": False}})
    assert causes(why(tmp_path / "store", OTEL_MODELDATA_CONFIG=config)) == [("collection_off", "stopped")]


def test_switches_of_the_old_library(tmp_path: Path) -> None:
    assert causes(why(tmp_path, AZUREML_MDC_ENABLED="false")) == [("collection_off", "stopped")]
    printed = why(tmp_path, AZUREML_MDC_ENABLED="true", AZUREML_MDC_LOCAL_CAPTURE="true")
    assert causes(printed) == [("printed_only", "stopped")]
    none = why(tmp_path, AZUREML_MDC_ENABLED="true", AZUREML_MDC_SAMPLE_RATE="0")
    assert causes(none) == [("nothing_sampled", "stopped")]


def test_a_sender_with_other_names(tmp_path: Path) -> None:
    found = why(tmp_path, OTEL_RESOURCE_ATTRIBUTES="")
    assert causes(found) == [("other_names", "stopped")]
    assert sentence(found, "other_names").startswith("this environment sends as local/default, not as shop/blue: ")
    assert found.findings[0].run == (f"otel-modeldata why local/default/model_inputs --store {tmp_path}",)
    assert causes(why(tmp_path, "", OTEL_RESOURCE_ATTRIBUTES="")) == []


def test_a_sender_that_writes_to_another_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert causes(why(store, OTEL_MODELDATA_STORE=str(tmp_path / "other"))) == [("other_store", "stopped")]
    for same in (f"{store}/", f"file://{store}", str(store / ".." / "store")):
        assert causes(why(store, OTEL_MODELDATA_STORE=same)) == []


def test_wrong_and_misspelled_variables(tmp_path: Path) -> None:
    found = why(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="ftp://x", OTEL_MODELDATA_CONFIGG="x.yml")
    assert causes(found) == [("wrong_settings", "stopped"), ("doubtful_setting", "suspect")]
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in sentence(found, "wrong_settings")
    assert "OTEL_MODELDATA_CONFIGG" in sentence(found, "doubtful_setting")


def test_a_spool_that_is_full_one_that_waits_and_one_that_is_empty(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    variables = {"OTEL_MODELDATA_SPOOL": str(spool), "OTEL_MODELDATA_SPOOL_BYTES": "100000"}
    store = tmp_path / "store"
    assert causes(why(store, **variables)) == []
    spool.mkdir()
    (spool / "a-0.spool").write_bytes(b"x" * 200)
    assert causes(why(store, **variables)) == []
    (spool / "b-0.spool").write_bytes(b"x" * 50_000)
    assert causes(why(store, **variables)) == []
    os.utime(spool / "b-0.spool", (hours(2).timestamp(),) * 2)
    assert causes(why(store, **variables)) == [("spool_waits", "suspect")]
    (spool / "b-1.spool").write_bytes(b"x" * 45_000)
    found = why(store, **variables)
    assert causes(found) == [("spool_full", "stopped")]
    assert sentence(found, "spool_full").startswith(
        f"the spool '{spool}' has 95,200 bytes, and a process may have 100,000"
    )


def test_final_reports_of_lost_events(tmp_path: Path) -> None:
    reports = tmp_path / "final reports"
    reports.mkdir()
    counts = {"accepted": 9, "delivered": 2, "lost": {"shutdown": 3, "rejected": 2}, "pending": 2}
    collections = {"model_inputs": counts, "model_outputs": {"accepted": 1, "lost": {"refused": 1}}}
    report = {"producer": "p", "deployment": "shop/blue", "collections": collections}
    (reports / "p.json").write_text(json.dumps(report))
    (reports / "q.json").write_text(json.dumps({**report, "producer": "q", "deployment": "shop/green"}))
    (reports / "torn.json").write_text("{")
    found = why(tmp_path / "store", OTEL_MODELDATA_REPORT=str(reports))
    assert causes(found) == [("lost_by_sender", "suspect"), ("left_in_spool", "suspect")]
    assert shlex.split(found.findings[0].run[0])[-2:] == ["--report", str(reports)]
    assert sentence(found, "lost_by_sender") == (
        f"final reports in '{reports}' say that events of {NAME} were lost: 3 x shutdown (the process ended before the "
        "endpoint answered: use a spool)"
    )
    assert causes(why(tmp_path / "store", "other/blue", OTEL_MODELDATA_REPORT=str(reports)))[0][0] == "other_names"
    assert causes(why(tmp_path / "store", OTEL_MODELDATA_REPORT=str(tmp_path / "none"))) == []


def test_secrets_of_an_environment_are_in_no_sentence(tmp_path: Path) -> None:
    found = why(
        tmp_path,
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20s3cr3t-t0k3n",
        OTEL_MODELDATA_STORE="https://a.blob.core.windows.net/c?sv=2024&sig=s3cr3t-t0k3n",
    )
    assert "s3cr3t" not in f"{found}{found!r}"
