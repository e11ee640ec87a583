"""Fixtures of the tests of payload logging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from payload_client import Send, send_by_asgi, send_by_wsgi

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=[send_by_asgi, send_by_wsgi], ids=["asgi", "wsgi"])
def send(request: pytest.FixtureRequest) -> Send:
    chosen: Send = request.param
    return chosen


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a deployment YAML: `configured(request=True, capture_headers=[..])`."""

    def write(rate: float = 1.0, capture_headers: tuple[str, ...] = (), **collections: object) -> None:
        block: dict[str, Any] = {"collections": {name: {"enabled": str(on)} for name, on in collections.items()}}
        block["sampling_rate"] = rate
        block["request_logging"] = {"capture_headers": list(capture_headers)}
        file = tmp_path / "deployment.yml"
        file.write_text(yaml.safe_dump({"name": "blue", "endpoint_name": "credit", "data_collector": block}))
        monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(file))

    return write
