"""A blob that cannot be read hides no line of another one, and takes no answer that is known."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
import virtual_time
from memory_store import INSTANCE, MemoryStore, line, line_to
from partly_broken import in_virtual_time

from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.storage.folders import unread_blobs
from otel_modeldata_receiver.storage.folders.reference_search import Answers, ReferenceSearch

if TYPE_CHECKING:
    from otel_modeldata_receiver.storage.store import StoredObject

FOLDER = "credit/archive/model_inputs/2026/11/22/13"
BLOBS = [f"{FOLDER}/{INSTANCE}{ordinal:06d}.jsonl" for ordinal in range(30)]
ONE, TWO = NAMES = [f"{FOLDER}/files/event-{number}-0123456789abcdef.json" for number in range(2)]


class Archive(MemoryStore):
    """A store of which some blobs cannot be read."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.blocks = defaultdict(list)
        self.contents = {name: line(name).data for name in BLOBS[:count]}
        self.archived: set[str] = set()
        self.failures: list[str] = []

    async def read(self, name: str, start: int, end: int) -> bytes:
        content = await super().read(name, start, end)
        if name in self.archived:
            self.failures.append(name)
            raise StoreError("409 BlobArchived")
        return content

    async def listed(self) -> list[StoredObject]:
        return await self.walk(FOLDER)


@pytest.fixture(autouse=True)
def _new_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests may have logged the same tenant."""
    throttle = unread_blobs.LogThrottle(unread_blobs.logger)
    monkeypatch.setattr(unread_blobs, "_throttle", throttle)


@pytest.mark.parametrize("archived", BLOBS[:3])
@pytest.mark.parametrize("naming", BLOBS[:3])
def test_a_line_is_found_unless_it_is_in_the_blob_that_cannot_be_read(archived: str, naming: str) -> None:
    async def search() -> None:
        store = Archive(3)
        store.contents[naming] += line_to(1, ONE).data
        store.archived = {archived}
        search = ReferenceSearch(store)
        for _ in range(3):
            answers = await search.look(await store.listed(), NAMES)
            assert answers == Answers(set() if naming == archived else {ONE}, set(), answers.error)
            assert answers.error is not None
        store.archived = set()
        assert await search.look(await store.listed(), NAMES) == Answers({ONE}, {TWO})

    virtual_time.run(search())


@in_virtual_time
async def test_behind_many_blobs_that_cannot_be_read_a_line_is_found_after_some_looks() -> None:
    """Also that of an object that is asked for later. A look asks for a few of them only."""
    store = Archive(30)
    store.contents[BLOBS[0]] += line_to(1, ONE).data
    store.archived = set(BLOBS[1:])
    search = ReferenceSearch(store)
    for _ in range(20):
        before = len(store.failures)
        answers = await search.look(await store.listed(), [ONE])
        assert len(store.failures) - before <= 4
    assert answers.named == {ONE}
    store.contents[BLOBS[0]] += line_to(2, TWO).data
    assert (await search.look(await store.listed(), NAMES))[:2] == ({ONE, TWO}, set())


@in_virtual_time
async def test_each_of_them_is_tried_again_in_its_turn() -> None:
    store = Archive(10)
    store.archived = set(BLOBS[1:10])
    search = ReferenceSearch(store)
    for _ in range(20):
        await search.look(await store.listed(), [ONE])
    store.failures.clear()
    for _ in range(9):
        await search.look(await store.listed(), [ONE])
    assert (len(store.failures), set(store.failures)) == (18, store.archived)
    store.archived = set()
    for _ in range(5):
        answers = await search.look(await store.listed(), [ONE])
    assert answers == Answers(set(), {ONE})


@in_virtual_time
async def test_what_no_line_names_stays_known_when_a_searched_blob_cannot_be_read_any_more() -> None:
    """Objects that come later do not take that from it, and are few groups together."""
    store = Archive(2)
    search = ReferenceSearch(store)
    assert await search.look(await store.listed(), [ONE]) == Answers(set(), {ONE})
    store.archived = {BLOBS[0]}
    for number in range(100):
        answers = await search.look(await store.listed(), [ONE, TWO, f"{FOLDER}/files/{number}"])
        assert answers[:2] == (set(), {ONE})
    assert len(search._groups) <= 3
    store.contents[BLOBS[0]] += line(2).data
    assert (await search.look(await store.listed(), [ONE]))[:2] == (set(), set())


@in_virtual_time
async def test_a_known_place_that_cannot_be_read_is_no_answer_and_its_object_is_searched_in_the_other_blobs() -> None:
    store = Archive(2)
    store.contents[BLOBS[0]] += line_to(1, ONE).data
    store.contents[BLOBS[1]] += line_to(2, ONE).data
    search = ReferenceSearch(store)
    assert await search.look(await store.listed(), NAMES) == Answers({ONE}, {TWO})
    store.archived = {BLOBS[1]}
    assert (await search.look(await store.listed(), NAMES))[:2] == ({ONE}, {TWO})
    store.archived = set(BLOBS)
    assert (await search.look(await store.listed(), NAMES))[:2] == (set(), {TWO})
    store.archived = set()
    assert (await search.look(await store.listed(), NAMES))[:2] == ({ONE}, {TWO})


def test_one_warning_names_a_blob_that_cannot_be_read_in_a_second_look_either(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def search() -> None:
        store = Archive(4)
        store.archived = {BLOBS[0], BLOBS[3]}
        search = ReferenceSearch(store)
        await search.look(await store.listed(), NAMES)
        assert caplog.messages == []
        del store.contents[BLOBS[3]]  # it was compacted
        for _ in range(10):
            await search.look(await store.listed(), NAMES)
        assert [message.partition(" cannot be read")[0] for message in caplog.messages] == [repr(BLOBS[0])]
        assert "409 BlobArchived" in caplog.text

    virtual_time.run(search())
