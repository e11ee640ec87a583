"""The files of `deploy/` for one machine: systemd reads its units, and Prometheus its alerts."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from containers import DEPLOY
from gateway import REPOSITORY
from prerequisites import need
from prometheus_server import program

if TYPE_CHECKING:
    from pathlib import Path

UNITS = DEPLOY / "systemd"
RULES = DEPLOY / "prometheus-rules.yaml"
OPERATE = REPOSITORY / "docs" / "guides" / "operate.md"
METRIC = re.compile(r"\botel(?:col|_modeldata)_\w+")
FIRST_EVENT = """
rule_files: [{rules}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{series: 'otel_modeldata_quarantined_total{{instance="a", reason="event time"}}', values: '_ _ _ 3 3 3'}}
      - {{series: 'otel_modeldata_ready{{instance="a"}}', values: '1 1 1 0 0 0'}}
    alert_rule_test:
      - alertname: ModelDataQuarantine
        eval_time: 2m
      - alertname: ModelDataQuarantine
        eval_time: 4m
        exp_alerts:
          - exp_labels: {{instance: a, reason: event time, severity: warning}}
            exp_annotations: {{summary: "Records went to quarantine: event time.", row: records went to _quarantine}}
      - alertname: ModelDataStoreDown
        eval_time: 5m
        exp_alerts:
          - exp_labels: {{instance: a, severity: critical}}
            exp_annotations:
              summary: The receiver a cannot write its store, and refuses all requests.
              row: "not ready: the store cannot be written"
"""


@pytest.mark.slow
def test_systemd_reads_the_units(tmp_path: Path) -> None:
    analyze = need("systemd-analyze", "install systemd")
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/opt/otel-modeldata/bin/otel-modeldata", sys.executable)
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", *map(str, tmp_path.iterdir())], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_store_that_is_down_is_tried_for_ever_and_a_wrong_configuration_is_not() -> None:
    unit = (UNITS / "otel-modeldata-receiver.service").read_text().splitlines()
    for line in ("Restart=always", "RestartSec=5", "StartLimitIntervalSec=0", "RestartPreventExitStatus=2"):
        assert line in unit


@pytest.mark.slow
def test_prometheus_reads_the_alerts_and_they_fire_at_a_first_event(tmp_path: Path) -> None:
    test = tmp_path / "test.yaml"
    test.write_text(FIRST_EVENT.format(rules=RULES))
    for arguments in (["check", "rules", str(RULES)], ["test", "rules", str(test)]):
        done = subprocess.run(
            [program("promtool"), *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_about_a_documented_metric_and_names_a_row_of_the_guide() -> None:
    documented = set(METRIC.findall((REPOSITORY / "docs" / "reference" / "metrics.md").read_text()))
    documented |= {f"{name}_bucket" for name in documented}
    documented |= set(METRIC.findall((OPERATE.parent / "gateway.md").read_text()))
    rows = OPERATE.read_text().partition("## When something is wrong")[2].partition("\n## ")[0]
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    assert {name for rule in rules for name in METRIC.findall(rule["expr"])} <= documented
    assert [rule["alert"] for rule in rules if rule["annotations"]["row"] not in rows] == []
