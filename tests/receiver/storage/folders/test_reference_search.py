"""A search for references has three answers, and goes on where it stopped."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
import virtual_time
from hypothesis import given
from hypothesis import strategies as st
from memory_store import FOLDER, MemoryStore, line, line_to
from partly_broken import in_virtual_time

from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.storage.folders import reference_search
from otel_modeldata_receiver.storage.folders.reference_search import Answers, ReferenceSearch, ReferenceSearches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata_receiver.storage.store import StoredObject

ONE, TWO, THREE = NAMES = [f"{FOLDER}/files/event-{number}-0123456789abcdef.json" for number in range(3)]
FIRST, SECOND = (f"{FOLDER}/{number:032x}000000.jsonl" for number in range(2))


@pytest.fixture
def pieces() -> Iterator[None]:
    """Pieces of 100 bytes, each of which counts as 100 bytes at least."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference_search, "_READ_BYTES", 100)
        patch.setattr(reference_search, "_LEAST_READ_BYTES", 100)
        yield


class Blobs(MemoryStore):
    """A store in which tests write as they like, and of which some blobs cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = defaultdict(list)
        self.archived: set[str] = set()

    async def read(self, name: str, start: int, end: int) -> bytes:
        content = await super().read(name, start, end)
        if name in self.archived:
            raise StoreError("409 BlobArchived")
        return content


async def listed(store: MemoryStore) -> list[StoredObject]:
    return await store.walk(FOLDER)


def reads(store: MemoryStore) -> int:
    return store.count("read")


@in_virtual_time
async def test_names_are_found_where_two_reads_of_a_blob_meet() -> None:
    store = Blobs()
    piece = 1 << 20
    for number, start in enumerate(range(piece - 60, piece + 20, 7)):
        name = f"{FOLDER}/files/{number}-0123456789abcdef.json"
        store.contents = {FIRST: b"x" * start + line_to(1, name).data}
        assert await ReferenceSearch(store).look(await listed(store), [name, TWO]) == Answers({name}, {TWO})


@pytest.mark.usefixtures("pieces")
def test_beyond_its_bytes_an_answer_is_not_known_until_the_search_came_to_the_end() -> None:
    async def search() -> None:
        store = Blobs()
        store.contents = {FIRST: line_to(1, ONE).data + 10 * line(2, 80).data}
        search = ReferenceSearch(store)
        blobs = await listed(store)
        answers = [await search.look(blobs, [ONE, TWO], most_bytes=500) for _ in range(3)]
        assert answers == [Answers({ONE}, set()), Answers({ONE}, set()), Answers({ONE}, {TWO})]

    virtual_time.run(search())


@in_virtual_time
async def test_what_is_searched_is_not_read_again_but_for_the_place_of_a_name() -> None:
    store = Blobs()
    store.contents = {FIRST: line(1).data, SECOND: line_to(2, TWO).data}
    search = ReferenceSearch(store)
    assert await search.look(await listed(store), NAMES) == Answers({TWO}, {ONE, THREE})
    before = reads(store)
    assert await search.look(await listed(store), [ONE, THREE]) == Answers(set(), {ONE, THREE})
    assert reads(store) == before
    assert await search.look(await listed(store), NAMES) == Answers({TWO}, {ONE, THREE})
    assert reads(store) == before + 1
    store.contents[FIRST] += line_to(3, ONE).data
    assert await search.look(await listed(store), NAMES) == Answers({ONE, TWO}, {THREE})


@in_virtual_time
async def test_a_name_that_was_found_and_erased_since_is_searched_again() -> None:
    store = Blobs()
    store.contents = {FIRST: line_to(1, ONE).data + line(2).data}
    search = ReferenceSearch(store)
    assert await search.look(await listed(store), [ONE]) == Answers({ONE}, set())
    store.contents = {FIRST.replace(".jsonl", "-e1.jsonl"): line(2).data}  # as the command does it
    assert await search.look(await listed(store), [ONE]) == Answers(set(), {ONE})


@in_virtual_time
async def test_a_blob_that_was_replaced_is_searched_from_its_begin() -> None:
    store = Blobs()
    store.contents = {FIRST: line(1, 200).data}
    search = ReferenceSearch(store)
    assert await search.look(await listed(store), [ONE, TWO]) == Answers(set(), {ONE, TWO})
    store.contents[FIRST] = line_to(2, ONE).data
    assert await search.look(await listed(store), [ONE, TWO]) == Answers({ONE}, {TWO})
    store.contents[FIRST] = line_to(3, TWO).data + line(4, 200).data
    assert await search.look(await listed(store), [TWO]) == Answers({TWO}, set())


@in_virtual_time
async def test_an_old_listing_of_a_blob_that_has_grown_since_does_not_begin_the_search_again() -> None:
    store = Blobs()
    store.contents = {FIRST: line(1).data}
    old = await listed(store)
    store.contents[FIRST] += line(2).data
    search = ReferenceSearch(store)
    assert await search.look(await listed(store), [ONE]) == Answers(set(), {ONE})
    before = reads(store)
    assert await search.look(old, [ONE], most_bytes=0) == Answers(set(), {ONE})
    assert reads(store) == before + 1  # whether it is still the same blob


@pytest.mark.usefixtures("pieces")
def test_new_objects_do_not_keep_older_ones_from_their_answer() -> None:
    async def search() -> None:
        store = Blobs()
        store.contents = {FIRST: 10 * line(1, 80).data}
        search = ReferenceSearch(store)
        blobs = await listed(store)
        names = [f"{FOLDER}/files/{number}" for number in range(12)]
        for number in range(12):
            answers = await search.look(blobs, names[: number + 1], most_bytes=100)
        assert names[0] in answers.unnamed

    virtual_time.run(search())


@in_virtual_time
async def test_after_an_error_or_the_end_of_its_time_a_search_goes_on() -> None:
    store = Blobs()
    store.contents = {FIRST: line(1).data, SECOND: line_to(2, ONE).data + line(3).data}
    search = ReferenceSearch(store)
    blobs = await listed(store)
    store.fates = iter(["ok", "refused"])
    answers = await search.look(blobs, [ONE, TWO])
    assert (answers[:2], str(answers.error)) == (({ONE}, set()), "planned")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(store.latency * 1.5):
            await search.look(blobs, [ONE, TWO])
    store.requests.clear()
    assert await search.look(blobs, [ONE, TWO]) == Answers({ONE}, {TWO})
    assert ("read", SECOND) in store.requests  # the place of the name
    assert len(store.requests) <= 2


@in_virtual_time
async def test_what_is_forgotten_takes_no_memory() -> None:
    store = Blobs()
    store.contents = {FIRST: line_to(1, ONE).data + line(2).data}
    searches = ReferenceSearches(store, most=2)
    search = searches.get("a")
    await search.look(await listed(store), [ONE, TWO])
    searches.forget("a", ONE)
    assert searches.get("a") is search
    searches.forget("a", TWO)
    searches.forget("unknown", TWO)
    assert searches.get("a") is not search
    kept = searches.get("a")
    for key in ("b", "a", "c"):
        searches.get(key)
    assert searches.get("a") is kept  # used later than the one that had to go


STEP = st.one_of(
    st.tuples(st.just("append"), st.sampled_from([FIRST, SECOND]), st.sampled_from([*NAMES, ""])),
    st.tuples(st.just("cut"), st.sampled_from([FIRST, SECOND]), st.integers(0, 400)),
    st.tuples(st.just("erase"), st.sampled_from(NAMES), st.just("")),
    st.tuples(st.just("look"), st.sets(st.sampled_from(NAMES)), st.integers(0, 600)),
    st.tuples(st.just("break"), st.integers(0, 3), st.just("")),
    st.tuples(st.just("forget"), st.sampled_from(NAMES), st.just("")),
    st.tuples(st.just("archive"), st.sampled_from([FIRST, SECOND]), st.just("")),
)


@pytest.mark.usefixtures("pieces")
@given(st.lists(STEP, max_size=40))
def test_a_known_answer_is_always_right_and_every_answer_is_known_in_the_end(steps: list[tuple[str, str, str]]) -> None:
    async def history() -> None:
        store = Blobs()
        search = ReferenceSearch(store)
        written = 0
        sizes: set[tuple[str, int]] = set()

        def write(name: str, content: bytes) -> None:
            """Write a blob, which has none of its earlier sizes: it would be taken for the same one."""
            while (name, len(content)) in sizes:
                content += b"\n"
            sizes.add((name, len(content)))
            store.contents[name] = content

        async def look(names: set[str], most_bytes: float) -> Answers:
            answers = await search.look(await listed(store), names, most_bytes=most_bytes)
            content = b"".join(store.contents.values())
            named = {name for name in names if name.encode() + b'"' in content}
            assert answers.named <= named
            assert answers.unnamed <= names - named
            return answers

        for kind, first, second in steps:
            match kind:
                case "append":
                    written += 1
                    new = line_to(written, second) if second else line(written, 150)
                    write(first, store.contents.get(first, b"") + new.data)
                case "cut":
                    write(first, store.contents.get(first, b"")[:second])
                case "erase":
                    for name, content in list(store.contents.items()):
                        if first.encode() in content:
                            del store.contents[name]
                            write(f"{name[:-6]}-e1.jsonl", content.replace(first.encode(), b"-"))
                case "look":
                    store.fates = iter(())
                    await look(first, second)
                case "break":
                    store.fates = iter(["ok"] * (1 + first) + ["refused"])
                    await look(set(NAMES), 300)
                case "forget":
                    search.forget(first)
                case "archive":
                    store.archived ^= {first}
        store.fates = iter(())
        readable = b"".join(content for name, content in store.contents.items() if name not in store.archived)
        answers = [await look(set(NAMES), 400) for _ in range(40)]
        assert answers[-1].named >= {name for name in NAMES if name.encode() + b'"' in readable}
        store.archived.clear()
        answers = [await look(set(NAMES), 400) for _ in range(40)]
        assert any(len(one.named | one.unnamed) == len(NAMES) for one in answers)

    virtual_time.run(history())
