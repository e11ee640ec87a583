"""The pieces of a request: stored at the same time, and the lines of each folder in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from otel_modeldata_receiver.ingest.commit import Committed, commit
from otel_modeldata_receiver.ingest.pieces_stored import PiecesStored
from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.mapping.outcomes import Mapped
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.sink import Sink

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    Piece = dict[str, Sequence[Line]]


async def as_they_come(pieces: Sequence[Piece]) -> AsyncGenerator[Mapped, None]:
    for lines in pieces:
        yield Mapped(lines=lines, records=sum(map(len, lines.values())))


@pytest.mark.parametrize(
    ("folders", "at_once"),
    [
        (["a b", "b c"], 1),
        (["a b", "c d"], 2),
        (["a", "a", "a"], 3),
        (["a", "a b"], 1),
        (["a b", "b"], 1),
    ],
)
def test_a_piece_waits_for_an_earlier_one_only_if_it_could_overtake_lines_of_a_folder(
    folders: list[str], at_once: int
) -> None:
    under_way, most, order = 0, 0, []

    async def store(piece: Mapped) -> tuple[Mapped, Committed]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(10):  # turns of the loop in which another piece could begin
            await asyncio.sleep(0)
        under_way -= 1
        order.append("".join(piece.lines))
        return piece, Committed()

    pieces: list[Piece] = [dict.fromkeys(one.split(), ()) for one in folders]
    asyncio.run(PiecesStored(store).add_all(as_they_come(pieces)))
    assert (most, order) == (at_once, [one.replace(" ", "") for one in folders])


def test_lines_of_a_collection_in_two_pieces_of_a_request_are_stored_in_order(tmp_path: Path) -> None:
    """A sender of many collections: a collection ends in the piece after the one in which it began."""

    def lines(folder: int, numbers: range) -> list[Line]:
        return [Line(f"{folder}-{n}", b'{"id":"%d-%d"}\n' % (folder, n)) for n in numbers]

    name = "credit/blue/c{}/2026/11/22/12"
    pieces: list[Piece] = [
        {name.format(29): lines(29, range(2, 4))} | {name.format(n): lines(n, range(2)) for n in range(30, 50)}
    ]
    pieces.insert(0, {name.format(n): lines(n, range(2)) for n in range(30)})

    async def store_all() -> None:
        sink = Sink(LocalStore(tmp_path), instance="0" * 32)

        async def store(piece: Mapped) -> tuple[Mapped, Committed]:
            return piece, await commit(sink, piece, 0)

        await PiecesStored(store).add_all(as_they_come(pieces))
        await sink.close()

    asyncio.run(store_all())
    stored = {path.parts[-6]: path.read_bytes() for path in tmp_path.rglob("*.jsonl")}
    assert stored == {f"c{n}": b"".join(line.data for line in lines(n, range(4 if n == 29 else 2))) for n in range(50)}
