"""Benchmarks beside the peer in one run: `uv run --all-extras python tests/benchmarks/run.py [CASE ...] [--json FILE]`.

Each case runs our SDK (to a real receiver with a local store, fsync before each ack) and azureml-ai-monitoring 1.0.0
(to an HTTP sink that stores nothing) in turn, `--repeat` times, and prints medians and ratios. What arrived is counted,
ours line by line with a checksum of ids: a fast wrong answer fails.

Cases: `paced-small` (1x23 at 200/s), `paced-large` (1000x23 at 20/s), `sustained-small`, `sustained-large`,
`oversize` (600 records of 100 KB to an endpoint with gRPC's default limit of 4 MiB, beside the stock OTel pipe).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from receiver_process import ReceiverProcess, lines_below  # noqa: E402 - found beside this folder

CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "paced-small": ("paced", {"rows": 1, "count": 2000, "per_second": 200}, {}),
    "paced-large": ("paced", {"rows": 1000, "count": 200, "per_second": 20}, {}),
    "sustained-small": ("burst", {"rows": 1, "count": 30_000}, {"count": 2000}),
    "sustained-large": ("burst", {"rows": 1000, "count": 600}, {"count": 300}),
}
"""Workload, its settings, and what differs for the peer, which is too slow for as many events."""


def main() -> None:
    """Run the cases that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases; all when none is given")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side, in turn; medians are shown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every run here, too")
    options = parser.parse_args()
    names = options.cases or [*CASES, "oversize"]
    if unknown := set(names) - {*CASES, "oversize"}:
        parser.error(f"expected cases among {', '.join([*CASES, 'oversize'])}, got {', '.join(sorted(unknown))}")
    results = {name: _oversize() if name == "oversize" else _case(name, options.repeat) for name in names}
    _show(results)
    if options.json:
        options.json.write_text(json.dumps({"cpus": os.cpu_count(), "results": results}, indent=2), "utf-8")


def _case(name: str, repeat: int) -> dict[str, list[dict[str, float]]]:
    workload, settings, peer = CASES[name]
    runs: dict[str, list[dict[str, float]]] = {"ours": [], "official": []}
    for _ in range(repeat):
        runs["ours"].append(_ours(workload, settings))
        runs["official"].append(_official(workload, settings | peer))
    return runs


def _ours(workload: str, settings: dict[str, Any]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        receiver = ReceiverProcess(store=str(store), flags=(), variables={}, log=Path(folder) / "log")
        receiver.start()
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.endpoint}"}
        result = _run(workload, settings | {"sender": "ours"}, environ)
        receiver.stop()
        lines = lines_below(store)
    rows = {len(line["data"]) for line in lines}
    assert (len(lines), len({line["id"] for line in lines}), rows) == (result["sent"],) * 2 + ({settings["rows"]},)
    assert [int(line["sequence"]) for line in lines] == list(range(len(lines)))
    return result


def _official(workload: str, settings: dict[str, Any]) -> dict[str, float]:
    with _CountingSink() as sink:
        environ = {
            "AZUREML_MDC_ENABLED": "true",
            "AZUREML_MDC_HOST": "127.0.0.1",
            "AZUREML_MDC_PORT": str(sink.port),
            "AZUREML_MDC_QUEUE_CAPACITY": "1000000",
        }
        result = _run(workload, settings | {"sender": "official"}, environ)
        assert sink.count == result["sent"], (sink.count, result)
    return result


def _run(workload: str, settings: dict[str, Any], environ: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, str(HERE / "workloads.py"), workload, json.dumps(settings)]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "AZUREML_", "HTTP_PROXY", "http_proxy"))}
    done = subprocess.run(command, env=clean | environ, capture_output=True, text=True, check=True, timeout=600)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


class _CountingSink:
    """Stands for Azure's side-car: answers 200 to each POST and keeps nothing but their number."""

    def __enter__(self) -> Self:
        sink = self
        self.count = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                sink.count += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _oversize() -> dict[str, list[dict[str, float]]]:
    """600 records of 100 KB: how many arrive at an endpoint that takes 4 MiB at a time, as gRPC servers do."""
    script = HERE / "oversize.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=600)
    arrived = json.loads(done.stdout.splitlines()[-1])
    assert arrived["ours"] == 600, arrived
    return {"ours": [{"arrived": arrived["ours"]}], "stock OTel": [{"arrived": arrived["stock"]}]}


def _show(results: dict[str, dict[str, list[dict[str, float]]]]) -> None:
    table = Table("case", "figure", "ours", "peer", "ours / peer", title=f"{os.cpu_count()} CPUs, medians")
    for name, sides in results.items():
        ours, peer = sides.values()
        for figure in ours[0]:
            if figure != "sent":
                a, b = (statistics.median(run[figure] for run in side) for side in (ours, peer))
                table.add_row(name, figure, f"{a:,.0f}", f"{b:,.0f}", f"{a / b:.2f}" if b else "-")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
