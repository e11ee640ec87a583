"""The command `otel-modeldata report`: what it prints and writes, its exit codes, and the metrics of `--watch`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from command_run import run_command
from deployment_requests import BASELINE, FIRST, WINDOW, Deployment

import otel_modeldata_reader as reader
from otel_modeldata_reader.reporting import Thresholds

if TYPE_CHECKING:
    from pathlib import Path

ENDS = ("--since", WINDOW[0], "--until", WINDOW[1])


def report(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    return run_command(capsys, "report", *arguments)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Ten requests a week; in the second one, ages and countries are others."""
    deployment = Deployment(tmp_path / "store")
    for at in range(20):
        is_new = at >= 10
        data: dict[str, Any] = {"model_outputs": [{"prediction": at % 2}], "ground_truth": [{"label": at % 2}]}
        country = "PT" if at >= 15 else "ES"
        moment = FIRST.replace(day=17 if is_new else 10, microsecond=3)
        deployment.request(moment, model_inputs=[{"age": at + 20 * is_new, "country": country}], **data)
    deployment.open().close()
    return deployment.root


def test_a_report_is_a_page_of_80_columns(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = report(capsys, "shop/blue", store, *ENDS, "--baseline", BASELINE, "--by", "country")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    lines = out.splitlines()
    assert lines[:7] == [
        "shop/blue: 2026-11-16 00:00 to 2026-11-23 00:00 against 2026-11-09 to 2026-11-16",
        "requests 10, rows 10",
        "latency 5.0 ms median, 5.0 ms 99 % (from the event of the inputs to that of the",
        "  outputs)",
        "errors not known: there is neither a collection response nor a span of a server",
        "",
        "what needs eyes",
    ]
    assert "  model_inputs.country has 1 new category in 5 rows: 'PT'" in lines
    assert "labels: 10 of 10 scored rows, 100.0%" in lines
    assert f"{'ES':<26}{5:>10}" + "     1.000" * 4 in lines


def test_json_and_the_page_are_those_of_the_library(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "x.html"
    page.write_text("an old one")
    arguments = ("shop/blue", "--store", store, *ENDS, "--baseline", BASELINE, "--json", "--html", page)
    code, out, err = report(capsys, *arguments, "--threshold", "psi=off", "--threshold", "ks_statistic=0.9")
    expected = reader.open(store).report(
        "shop/blue", *WINDOW, baseline=BASELINE, thresholds=Thresholds(psi=None, ks_statistic=0.9)
    )
    assert (code, err) == (0, "")
    assert json.loads(out) | {"made": ""} == expected.to_dict() | {"made": ""}
    assert page.read_text("utf-8").startswith("<!doctype html>")


def test_a_page_that_would_replace_a_pipe_is_refused_before_the_store_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    sentence = (
        f"otel-modeldata: expected the name of a file, got {tmp_path / 'pipe'}, which is a pipe: name a file, or print "
        "rows with otel-modeldata query --csv\n"
    )
    found = report(capsys, "shop/blue", tmp_path / "missing", "--html", tmp_path / "pipe")
    assert found == (2, "", sentence)
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--fail-on", "psi"], 1),
        (["--fail-on", "psi=0.2", "--fail-on", "nulls=0.9"], 1),
        (["--fail-on", "any"], 1),
        (["--fail-on", "nulls"], 0),
        (["--fail-on", "psi=1000"], 0),
    ],
)
def test_a_pipeline_stops_at_a_threshold(
    store: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int
) -> None:
    found, out, _ = report(capsys, "shop/blue", store, *ENDS, "--baseline", BASELINE, *options)
    assert (0 if found == 0 else 1) == code
    assert out.startswith("shop/blue: 2026-11-16")
    if code:
        assert str(found).startswith("otel-modeldata: ")


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--fail-on", "psi"], 1), (["--fail-on", "baseline"], 1), (["--fail-on", "any"], 1), (["--fail-on", "nulls"], 0)],
)
def test_a_pipeline_stops_at_a_baseline_without_rows(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int
) -> None:
    header = tmp_path / "header.csv"
    header.write_text("age,country,score\n")
    for baseline in (header, "2020-01-01..2020-01-08"):
        found, out, _ = report(capsys, "shop/blue", store, *ENDS, "--baseline", baseline, *options)
        assert (0 if found == 0 else 1) == code
        assert "nothing is compared" in " ".join(out.split())


def test_a_pipeline_stops_at_a_window_without_rows(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    window = ("--since", "2020-01-01", "--until", "2020-01-02")
    found, _, _ = report(capsys, "shop/blue", store, *window, "--baseline", BASELINE, "--fail-on", "psi")
    assert found != 0


@pytest.fixture
def in_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of a shell that names the store."""
    monkeypatch.setenv("OTEL_MODELDATA_STORE", str(store))
    monkeypatch.delenv("OTEL_METRICS_EXPORTER", raising=False)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["shop/red"], 2, "expected a deployment or a collection of "),
        (["shop/blue", "--baseline", "x.doc"], 2, "expected a baseline like FILE.parquet"),
        (["shop/blue", "--threshold", "psi"], 2, "expected a measure and a value, such as psi=0.1, got 'psi'"),
        (["shop/blue", "--threshold", "psi=much"], 2, "expected a number of at least 0, got 'much'"),
        (["shop/blue", "--fail-on", "speed=1"], 2, "expected a measure like psi, "),
        (["shop/blue", "--fail-on", "speed"], 2, "expected a measure like psi, "),
        (["shop/blue", "--fail-on", "ks_statistic"], 2, "expected a threshold of ks_statistic for --fail-on, got none"),
        (["shop/blue", "--fail-on", "psi"], 2, "expected a baseline for --fail-on psi, got none"),
        (["shop/blue", "--fail-on", "new_categories=3"], 2, "expected a baseline for --fail-on new_categories, got no"),
        (["shop/blue", "--watch", "0"], 2, "expected 1 to 604800 seconds, got '0'"),
        (["shop/blue", "--watch", "60"], 2, "expected something that takes the figures of --watch"),
        (["shop/blue", "--since", "soon"], 2, "expected a time like "),
        (["shop/blue", "--store", "/no/such/store"], 3, "/no/such/store"),
    ],
)
def test_mistakes_have_a_sentence_and_an_exit_code(
    in_store: None, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, reason: str
) -> None:
    found, out, err = report(capsys, *arguments)
    assert (found, out) == (code, "")
    assert reason in err


def test_nothing_that_a_sender_wrote_steers_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deployment = Deployment(tmp_path / "store")
    evil = "\x9b2J\u202e\x1b[31m"
    deployment.request(FIRST, model_inputs=[{evil: "a", "x": 1}])
    deployment.request(FIRST.replace(day=17), model_inputs=[{evil: evil, "x": 1}])
    deployment.open().close()
    for options in ([], ["--json"]):
        _, out, _ = report(capsys, "shop/blue", deployment.root, *ENDS, "--baseline", BASELINE, *options)
        assert all(one.isprintable() for one in out.splitlines())
        assert "202e" in out


def test_help_teaches_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = report(capsys, "--help")
    assert max(map(len, out.splitlines())) <= 80
    for words in ("--baseline", "--fail-on psi=0.25", "exit codes:", "OTEL_METRICS_EXPORTER"):
        assert words in out


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_watch_exports_the_figures_until_it_is_stopped(store: Path, tmp_path: Path, ending: signal.Signals) -> None:
    page = tmp_path / "x.html"
    watching = subprocess.Popen(
        [
            *(sys.executable, "-m", "otel_modeldata_receiver", "report", "shop/blue", str(store), *ENDS),
            *("--baseline", BASELINE, "--watch", "1", "--html", str(page)),
        ],
        env=os.environ | {"OTEL_METRICS_EXPORTER": "console", "OTEL_METRIC_EXPORT_INTERVAL": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    seen = ""
    for line in watching.stdout:
        seen += line
        if line == "}\n":  # the end of the first export
            break
    watching.send_signal(ending)
    out, err = watching.communicate(timeout=60)
    assert (watching.returncode, err) == (0, "")
    exports = [json.loads(one) for one in objects(seen + out)]
    for export in exports:
        (resource,) = export["resource_metrics"]
        assert resource["resource"]["attributes"]["service.name"] == "otel-modeldata-report"
        points = {one["name"]: one["data"]["data_points"] for one in resource["scope_metrics"][0]["metrics"]}
        names = {"endpoint": "shop", "deployment": "blue"}
        drift = [one["attributes"] for one in points["otel_modeldata.report.drift"]]
        assert names | {"collection": "model_inputs", "column": "age", "measure": "psi"} in drift
        (labeled,) = points["otel_modeldata.report.labeled"]
        assert (labeled["attributes"], labeled["value"]) == (names, 1.0)
    assert page.read_text("utf-8").endswith("</html>\n")


def objects(text: str) -> list[str]:
    """JSON objects that follow each other, each ended by a brace at the beginning of a line."""
    return [f"{one}\n}}" for one in text.split("\n}\n") if one.strip()]
