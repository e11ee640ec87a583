"""The admin port of a receiver process: probes without a certificate, and metrics that a real Prometheus reads."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from certificate_files import make_certificates
from otlp_requests import record, request
from otlp_sender import send_request
from prometheus_server import program, scraping
from waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from receiver_process import StartReceiver

TLS = {"cert_file": "server.crt", "key_file": "server.key", "client_ca_file": "ca.crt"}
EXPIRY = re.compile(r"^otel_modeldata_certificate_expiry_seconds (.+)$", re.MULTILINE)
ADMIN = ("--admin-listen", "127.0.0.1:0")


def test_a_prometheus_reads_what_was_received(start_receiver: StartReceiver, tmp_path: Path) -> None:
    receiver = start_receiver(str(tmp_path / "store"), *ADMIN)
    with scraping(receiver.startup["admin_listen"], tmp_path) as prometheus:
        send_request(receiver.endpoint, request(record(event_id="1"), record(event_id="2"), record(event_id="2")))

        def received() -> list[tuple[str, str]]:
            series = prometheus.query("otelcol_receiver_accepted_log_records_total")
            return sorted((one["metric"]["transport"], one["value"][1]) for one in series)

        wait_until(lambda: received() == [("grpc", "3"), ("http", "0")])
        tenant = 'endpoint="credit",deployment="blue",outcome="accepted"'
        target = f'service_name="otel-modeldata-receiver",service_instance_id="{receiver.startup["instance_id"]}"'
        expected = {
            "otel_modeldata_duplicates_total": "1",
            f"otel_modeldata_tenant_records_total{{{tenant}}}": "3",
            "otel_modeldata_ready": "1",
            "otel_modeldata_open_folders": "1",
            'otel_modeldata_delay_seconds_bucket{le="+Inf"}': "1",
            "otel_modeldata_append_duration_seconds_count": "1",
            'otel_modeldata_build{version!=""}': "1",
            f"target_info{{{target}}}": "1",
        }
        assert {name: [one["value"][1] for one in prometheus.query(name)] for name in expected} == {
            name: [value] for name, value in expected.items()
        }
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=receiver.page("/metrics")[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_the_probes_need_no_client_certificate_and_readiness_follows_an_idle_store(
    start_receiver: StartReceiver, tmp_path: Path
) -> None:
    certificates = make_certificates(tmp_path)
    tls = {name: str(certificates / file) for name, file in TLS.items()}
    config = tmp_path / "receiver.yaml"
    config.write_text(json.dumps({"tls": tls}))
    store = tmp_path / "store"
    receiver = start_receiver(str(store), *ADMIN, "--config", str(config))
    assert receiver.page("/livez") == (200, "alive\n")
    assert receiver.page("/readyz") == (200, "ready\n")
    (expiry,) = EXPIRY.findall(receiver.page("/metrics")[1])
    assert 0 < float(expiry) <= 86_400
    shutil.rmtree(store)
    store.write_text("a file in place of the folder")
    wait_until(lambda: receiver.page("/readyz")[0] == 503)
    assert receiver.page("/readyz")[1].startswith("not ready: the store cannot be written: expected ")
    assert receiver.page("/livez") == (200, "alive\n")
    store.unlink()
    wait_until(lambda: receiver.page("/readyz") == (200, "ready\n"))
    assert receiver.page("/v1/logs")[0] == 404


def test_sighup_and_a_changed_file_reload_and_the_log_is_json(start_receiver: StartReceiver, tmp_path: Path) -> None:
    config = tmp_path / "receiver.yaml"
    config.write_text("log_format: json\n")
    receiver = start_receiver(str(tmp_path / "store"), "--config", str(config))

    def messages() -> list[tuple[str, str]]:
        lines = [json.loads(line) for line in receiver.log.read_text().splitlines()]
        assert all(set(line) == {"time", "level", "logger", "message"} for line in lines)
        return [(line["level"], line["message"]) for line in lines]

    assert receiver._process is not None
    receiver._process.send_signal(signal.SIGHUP)
    wait_until(lambda: ("info", "the configuration was read again: no change") in messages())
    config.write_text("log_format: json\nlog_level: debug\nrolling_rate: Day\n")
    restart = "the configuration changed, restart the receiver to apply it: rolling_rate"
    wait_until(lambda: ("warning", restart) in messages())
    assert ("info", "the configuration was read again: log_level changed") in messages()
    config.write_text("log_format: jsn\n")
    wrong = "log_format: expected one of text, json, got 'jsn'"
    kept = f"the configuration is wrong, the previous one stays in use: {wrong}"
    wait_until(lambda: ("warning", kept) in messages())
    assert receiver.stop() == 0
    assert messages()[0][1].startswith("started: version ")
    assert messages()[-1][1].startswith("stopped: 0 events in 0 folders, ")
