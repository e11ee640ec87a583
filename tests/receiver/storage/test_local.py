"""The store in a local folder: real files, locks and processes; disk failures are limits and broken calls."""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
import resource
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_modeldata_receiver.exceptions import ConfigError, StoreCheckError, StoreError
from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.storage import local
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.open_store import open_store
from otel_modeldata_receiver.storage.sink import Sink
from otel_modeldata_receiver.storage.store import BlobState, FencedError, checked_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.anyio

INSTANCE = "0123456789abcdef0123456789abcdef"
FOLDER = "endpoint/blue/model_inputs/2026/11/22/13"
FIRST = f"{FOLDER}/{INSTANCE}000000.jsonl"
EMPTY = BlobState(size=0, blocks=0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalStore]:
    store = LocalStore(tmp_path / "data")
    yield store
    await store.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / FIRST


def content(file: Path) -> bytes | None:
    """The content of the file, None without one."""
    return file.read_bytes() if file.exists() else None


# --- The interface of a store ------------------------------------------------------------------------------------


async def test_blocks_follow_each_other_at_their_positions(store: LocalStore, file: Path) -> None:
    assert await store.state(FIRST) is None
    assert await store.create(FIRST) == EMPTY
    one = await store.append(FIRST, EMPTY, b"one\n")
    two = await store.append(FIRST, one, b"two\n")
    assert (one, two) == (BlobState(size=4, blocks=0), BlobState(size=8, blocks=0))
    assert await store.state(FIRST) == two
    assert await store.read(FIRST, 2, 8) == b"e\ntwo\n"
    assert content(file) == b"one\ntwo\n"


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system has no posix_fadvise")
async def test_pages_of_large_blocks_are_released_after_the_flush_except_the_last(
    store: LocalStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, done = mmap.PAGESIZE, []
    flush, give_back = os.fsync, os.posix_fadvise

    def note_flush(handle: int) -> None:
        flush(handle)
        done.append(("flushed", os.fstat(handle).st_size))

    def note_giving(handle: int, start: int, size: int, advice: int) -> None:
        give_back(handle, start, size, advice)
        done.append(("given back", start, size, advice))

    state = await store.create(FIRST)
    assert state == EMPTY
    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(os, "posix_fadvise", note_giving)
    blocks = [b"a" * (64 * page + 10), b"b" * 10, b"c" * (64 * page)]
    for block in blocks:
        state = await store.append(FIRST, state, block)
    assert done == [
        ("flushed", 64 * page + 10),
        ("given back", 0, 64 * page, os.POSIX_FADV_DONTNEED),
        ("flushed", 64 * page + 20),
        ("flushed", 128 * page + 20),
        ("given back", 64 * page, 64 * page, os.POSIX_FADV_DONTNEED),
    ]
    assert content(file) == b"".join(blocks)


async def test_a_blob_with_data_is_taken_and_an_empty_one_is_used(store: LocalStore, file: Path) -> None:
    await store.create(FIRST)
    assert await store.create(FIRST) == EMPTY
    await store.append(FIRST, EMPTY, b"one\n")
    assert await store.create(FIRST) is None
    assert content(file) == b"one\n"


async def test_a_position_that_is_not_the_end_is_fenced(store: LocalStore, file: Path) -> None:
    await store.create(FIRST)
    await store.append(FIRST, EMPTY, b"one\n")
    for size in (0, 3, 5):
        with pytest.raises(FencedError):
            await store.append(FIRST, BlobState(size=size, blocks=0), b"two\n")
    assert content(file) == b"one\n"


async def test_a_file_that_was_deleted_is_left(store: LocalStore, file: Path) -> None:
    await store.create(FIRST)
    os.unlink(file)  # noqa: PTH108 (the linter allows no blocking Path in an async test)
    assert await store.state(FIRST) is None
    with pytest.raises(FencedError):
        await store.append(FIRST, EMPTY, b"one\n")
    assert content(file) is None


async def test_only_own_blobs_are_listed_in_order(store: LocalStore) -> None:
    second = f"{FOLDER}/{INSTANCE}000001.jsonl"
    for name in (second, FIRST, f"{FOLDER}/ffff000000.jsonl", f"{FOLDER}/{INSTANCE}.txt"):
        await store.create(name)
    assert await store.blobs(f"{FOLDER}/{INSTANCE}") == [FIRST, second]
    assert await store.blobs("elsewhere/x") == []
    assert await store.blobs("x") == []


@settings(max_examples=100)
@given(whole=st.lists(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b" "))), torn=st.binary(max_size=200))
def test_only_a_torn_last_line_is_cut_off(
    whole: list[bytes], torn: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("torn", numbered=True) / "blob.jsonl"
    kept = b"".join(line + b"\n" for line in whole)
    torn = torn.replace(b"\n", b"\0")
    path.write_bytes(kept + torn)
    store = LocalStore(path.parent)
    assert store._state(path) == BlobState(size=len(kept), blocks=0)
    assert path.read_bytes() == kept


async def test_a_torn_line_longer_than_a_search_step_is_cut_off(store: LocalStore, file: Path) -> None:
    await store.create(FIRST)
    await store.append(FIRST, EMPTY, b"one\n" + b"x" * 300_000)
    assert await store.state(FIRST) == BlobState(size=4, blocks=0)
    assert content(file) == b"one\n"


async def test_an_object_is_put_once_under_its_absolute_path(store: LocalStore, tmp_path: Path) -> None:
    name = f"{FOLDER}/files/1.json"
    path = tmp_path / "data" / name
    assert await store.put(name, b"[1]", "application/json") == str(path)
    assert await store.put(name, b"[1]", "application/json") == str(path)
    with pytest.raises(ValueError, match="expected a new name or equal content"):
        await store.put(name, b"[2]", "application/json")
    assert path.read_bytes() == b"[1]"
    assert [entry.name for entry in path.parent.iterdir()] == ["1.json"]


async def test_an_object_is_put_once_where_files_cannot_be_linked(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: object, target: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    path = Path(await store.put("1.json", b"[1]", "application/json"))
    assert await store.put("1.json", b"[1]", "application/json") == str(path)
    with pytest.raises(ValueError, match="expected a new name or equal content"):
        await store.put("1.json", b"[2]", "application/json")
    assert [entry.name for entry in path.parent.iterdir()] == ["1.json"]


@pytest.mark.parametrize("name", ["../x", "a/../x", "/a", "a//b", "a/./b", "a\\..\\b", "", "a/", "a\r\nb", "a\0b"])
async def test_a_name_that_could_leave_its_folder_is_refused(store: LocalStore, name: str) -> None:
    for call in (
        store.create(name),
        store.state(name),
        store.blobs(name),
        store.read(name, 0, 1),
        store.append(name, EMPTY, b"x\n"),
        store.put(name, b"x", "text/plain"),
    ):
        with pytest.raises(ValueError, match="expected a relative name"):
            await call


@given(name=st.text(st.sampled_from("ab./\\\0\n"), max_size=12))
def test_no_checked_name_leaves_the_folder(name: str) -> None:
    try:
        kept = checked_name(name)
    except ValueError:
        return
    assert kept == name
    assert os.path.normpath(f"/blobs/{name}") == f"/blobs/{name}"


# --- The folder of a URL -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["file://{}", "file://localhost{}", "{}"])
def test_a_file_url_or_a_path_is_a_folder(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    text = str(folder) if url == "{}" else url.format(folder).replace(" ", "%20")
    assert repr(open_store(text)) == f"LocalStore({str(folder)!r})"


def test_a_relative_path_starts_at_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("./modeldata")
    monkeypatch.chdir("/")
    assert repr(store) == f"LocalStore({str(tmp_path / 'modeldata')!r})"


@pytest.mark.parametrize("url", ["", " ", "file://", "file://host/dir", "s3://bucket/x", "http://host/container"])
def test_a_url_that_names_no_store_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(ConfigError, match="expected ") as caught:
        open_store(url)
    assert "\n" not in str(caught.value)


# --- The check at the start --------------------------------------------------------------------------------------


async def test_a_check_creates_the_folder_and_leaves_it_empty(store: LocalStore, tmp_path: Path) -> None:
    await store.check()
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize(("folder", "place"), [("occupied/data", " ('{}/occupied')"), ("occupied", "")])
async def test_a_folder_with_a_file_in_its_place_is_named_with_the_reason(
    tmp_path: Path, folder: str, place: str
) -> None:
    (tmp_path / "occupied").write_text("a file")
    store = LocalStore(tmp_path / folder)
    with pytest.raises(StoreCheckError) as caught:
        await store.check()
    assert str(caught.value) == (
        f"expected to write into '{tmp_path}/{folder}', got File exists{place.format(tmp_path)}: a file is in its "
        "place, choose another store"
    )
    await store.close()


async def test_a_folder_that_cannot_be_written_is_named_with_the_reason(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: int, content: memoryview) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(local.os, "write", refuse)
    expected = f"expected to write into '{tmp_path}/data', got Read-only file system: give the receiver's user"
    with pytest.raises(StoreCheckError, match=expected):
        await store.check()
    assert list((tmp_path / "data").iterdir()) == []


# --- Disks that fail ---------------------------------------------------------------------------------------------


@contextmanager
def room_for_ten_bytes() -> Iterator[None]:
    """The kernel lets no file grow beyond ten bytes: one write is incomplete, the next one fails.

    Keep the block small: standard output may be a file, too.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_block_that_does_not_fit_leaves_no_half_line(store: LocalStore, file: Path) -> None:
    await store.create(FIRST)
    state = await store.append(FIRST, EMPTY, b"one\n")
    with (
        room_for_ten_bytes(),
        pytest.raises(StoreError, match=r"expected to append to .* got File too large: check space and permissions"),
    ):
        await store.append(FIRST, state, b"two\nthree\n")
    assert content(file) == b"one\n"
    assert await store.append(FIRST, state, b"two\n") == BlobState(size=8, blocks=0)
    with room_for_ten_bytes(), pytest.raises(StoreError, match=r"expected to write .* got File too large"):
        await store.put("object.json", b"0123456789abcdef", "application/json")
    assert [path.name for path in file.parents[6].iterdir() if path.is_file()] == []


async def test_a_failed_fsync_is_reported_and_the_block_is_written_again(
    store: LocalStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.create(FIRST)
    state = await store.append(FIRST, EMPTY, b"one\n")

    def fail(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(local.os, "fsync", fail)
        with pytest.raises(StoreError, match="got Input/output error"):
            await store.append(FIRST, state, b"two\n")
    assert content(file) == b"one\n"
    assert await store.append(FIRST, state, b"two\n") == BlobState(size=8, blocks=0)


async def test_a_partial_block_that_cannot_be_cut_back_is_not_stored_twice(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The disk takes one line and a half, then neither writes nor cuts: the next attempt finds what is durable."""
    sink = Sink(store, instance=INSTANCE)
    first, second, third = (Line(key, b'{"id":"%s"}\n' % key.encode()) for key in "abc")
    await sink.append(FOLDER, [first])
    write, cut = os.write, os.ftruncate
    size = len(second.data) + 3
    failures = iter([True, True])

    def write_some(file: int, content: memoryview) -> int:
        if len(content) > size and next(failures, False):
            return write(file, content[:size])
        if len(content) == len(second.data) + len(third.data) - size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, content)

    def refuse(file: int, size: int) -> None:
        if next(failures, False):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        cut(file, size)

    monkeypatch.setattr(local.os, "write", write_some)
    monkeypatch.setattr(local.os, "ftruncate", refuse)
    assert sum(await sink.append(FOLDER, [second, third])) == 2
    contents = [path.read_bytes() for path in sorted((tmp_path / "data" / FOLDER).iterdir())]
    assert b"".join(contents) == first.data + second.data + third.data
    assert next(failures, None) is None


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to name open files: run on Linux")
async def test_every_new_folder_and_file_is_flushed_in_its_parent(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    fsync = os.fsync

    def note(file: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{file}").readlink()))
        fsync(file)

    monkeypatch.setattr(local.os, "fsync", note)
    await store.create("a/b/c.jsonl")
    data = tmp_path / "data"
    expected = [tmp_path, data, data / "a", data / "a/b/c.jsonl", data / "a/b"]
    assert flushed == [str(path) for path in expected]
    flushed.clear()
    await store.append("a/b/c.jsonl", EMPTY, b"one\n")
    assert flushed == [str(data / "a/b/c.jsonl")]


# --- Several writers ---------------------------------------------------------------------------------------------


async def test_a_lock_that_is_not_released_refuses_the_block(
    store: LocalStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    await store.create(FIRST)
    monkeypatch.setattr(local, "_LOCK_SECONDS", 0.05)
    with file.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another process holds it; give each receiver its own instance id"):
            await store.append(FIRST, EMPTY, b"one\n")
        with pytest.raises(StoreError, match="another process holds it"):
            await store.state(FIRST)
    assert await store.append(FIRST, EMPTY, b"one\n") == BlobState(size=4, blocks=0)


async def test_one_of_many_writers_at_one_position_wins(store: LocalStore, file: Path) -> None:
    await store.create(FIRST)
    blocks = [f"block {number} {'x' * 10_000}\n".encode() for number in range(8)]
    outcomes = await asyncio.gather(*(store.append(FIRST, EMPTY, block) for block in blocks), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {BlobState, FencedError}
    won = [isinstance(outcome, BlobState) for outcome in outcomes]
    assert won.count(True) == 1
    assert content(file) == blocks[won.index(True)]


@pytest.mark.parametrize("name", ["a b", "a%20b", "ä#?b"])
async def test_the_reference_to_an_object_is_the_path_that_azures_reader_opens_as_it_is(
    tmp_path: Path, name: str
) -> None:
    """`StoreUrl.read_file_content` removes `file://`, decodes nothing, and opens the rest."""
    store = LocalStore(tmp_path / name)
    reference = await store.put(f"{FOLDER}/files/rows.json", b"[]", "application/json")
    await store.close()
    assert content(Path(reference.removeprefix("file://"))) == b"[]"
    moved = (tmp_path / name).rename(tmp_path / "moved elsewhere")
    assert content(moved / FOLDER / "files" / reference.rpartition("/")[2]) == b"[]"
