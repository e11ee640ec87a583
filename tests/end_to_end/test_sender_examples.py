"""The examples for other languages send real events: each is stored once, under the id that the example gave it."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

import pytest
import sender_examples
from documents import REPOSITORY_URL, text_of
from lost_acks import LostAcks
from receiver_process import lines_below

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from receiver_process import StartReceiver

COUNT = 500
"""Fewer than the queue of an SDK holds."""
LANGUAGES = [
    pytest.param(sender_examples.python, marks=pytest.mark.slow),
    pytest.param(sender_examples.javascript, marks=pytest.mark.slow),
    pytest.param(sender_examples.java, marks=pytest.mark.long),
    pytest.param(sender_examples.go, marks=pytest.mark.long),
    pytest.param(sender_examples.rust, marks=pytest.mark.long),
]
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.mark.timeout(sender_examples.BUILD_SECONDS + 300)
@pytest.mark.parametrize("example", LANGUAGES)
def test_equal_events_are_stored_once_each_even_if_answers_are_lost(
    example: Callable[[], list[str]], start_receiver: StartReceiver, tmp_path: Path
) -> None:
    command = example()
    receiver = start_receiver(str(tmp_path))
    names = {"OTEL_SERVICE_NAME": "credit-scoring", "OTEL_BLRP_SCHEDULE_DELAY": "100"}
    with LostAcks(receiver.endpoint, most=1) as network:
        variables = names | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{network.endpoint}"}
        done = sender_examples.run(command, COUNT, variables)
        assert done.returncode == 0, done.stderr
        assert network.lost == 1
    ids = _UUID.findall(done.stdout)
    lines = lines_below(tmp_path / "credit-scoring" / "default" / "model_inputs")
    assert sorted(line["id"] for line in lines) == sorted(ids)
    assert len(set(ids)) == COUNT
    assert {uuid.UUID(one).version for one in ids} == {4}
    assert [line["data"] for line in lines] == [[{"age": 41, "income": 1.5}]] * COUNT
    assert {line["correlationid"] for line in lines} == {"order-4711"}
    assert {line["agent"] for line in lines} == {"score/1.0.0"}


def test_the_guide_names_each_example_and_its_command() -> None:
    page = text_of("docs/guides/other-senders.md")
    links = re.findall(rf"\]\({REPOSITORY_URL}/blob/main/docs/examples/senders/(\w+)/([^)]*)\)", page)
    folders = sorted(path.name for path in sender_examples.EXAMPLES.iterdir() if path.is_dir())
    assert sorted(language for language, _ in links) == folders
    assert all((sender_examples.EXAMPLES / language / file).is_file() for language, file in links)
