"""What waits for a thread that hangs ends with its request."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from opened_studio import opened_studio
from read_lines import COLLECTION, line, write

from otel_modeldata_reader.window import Window
from otel_modeldata_studio.interruption import InterruptedRequest, Interruption, holding, of_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS = 60


class Asked:
    """A question in a thread of its own; `ended` has what it raised, or None."""

    def __init__(self, question: Callable[[], object]) -> None:
        self.interruption = Interruption()
        self.ended: list[type[BaseException] | None] = []
        self._question = question
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> type[BaseException] | None:
        """End the request, and wait for its thread."""
        self.interruption.end()
        self._thread.join(SECONDS)
        return self.ended[0]

    def _run(self) -> None:
        with of_request(self.interruption):
            try:
                self._question()
            except InterruptedRequest as error:
                self.ended.append(type(error))
            else:
                self.ended.append(None)


def test_a_request_that_waits_for_a_lock_can_be_ended() -> None:
    lock = threading.Lock()

    def hold() -> None:
        with holding(lock):
            pass

    with lock:
        assert Asked(hold).end() is InterruptedRequest
    with holding(lock):
        assert lock.locked()
    assert not lock.locked()


def test_a_lock_is_released_after_an_error() -> None:
    lock = threading.Lock()
    with pytest.raises(ZeroDivisionError), holding(lock):
        raise ZeroDivisionError
    assert not lock.locked()


def test_questions_about_a_folder_whose_reading_hangs_end_with_their_requests(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    with opened_studio(tmp_path) as studio:
        tables = studio.tables
        tables.pieces(COLLECTION, Window())
        (folder,) = tables._collections[COLLECTION]._folders.values()
        with folder.lock:  # as a thread does that waits for a network drive
            asked = [Asked(lambda: tables.pieces(COLLECTION, Window())) for _ in range(4)]
            assert [one.end() for one in asked] == [InterruptedRequest] * 4
        assert len(tables.pieces(COLLECTION, Window()).pieces) == 1
