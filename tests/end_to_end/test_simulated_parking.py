"""Bugs of parking that the simulator must find."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from planted_bugs import check_that_it_is_found
from simulated_store import Connection
from simulator import World

from otel_modeldata_receiver.storage.group_commit import Appended
from otel_modeldata_receiver.storage.parking.delivery import Delivery
from otel_modeldata_receiver.storage.parking.object_delivery import ObjectDelivery
from otel_modeldata_receiver.storage.parking.parked_before import ParkedBefore
from otel_modeldata_receiver.storage.parking.parked_blobs import ParkedBlobWriter
from otel_modeldata_receiver.storage.parking.parking_sink import ParkingSink
from otel_modeldata_receiver.storage.rolled_blobs import RollingBlobWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_modeldata_receiver.line import Line
    from otel_modeldata_receiver.storage.parking.parked_folders import ParkedFolder


def return_to_direct_appends_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder takes lines directly while others of it are still parked."""

    async def deliver(self: Delivery, folder: ParkedFolder) -> bool:
        await self._deliver_parked(folder)
        self._folders.end(folder)
        return True

    monkeypatch.setattr(Delivery, "_deliver", deliver)


def acknowledge_before_parking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are acknowledged when they are about to be parked."""

    async def hasty(self: ParkingSink, folder: str, lines: Sequence[Line], *, callers: int = 1) -> Appended:
        began = asyncio.get_running_loop().time()
        appended, parked = await self._append_directly(folder, lines, began, callers)
        if parked is not None:
            task = asyncio.ensure_future(self._sink.append(f"_parked/{folder}", lines))
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return appended or Appended(len(lines), 0)

    monkeypatch.setattr(ParkingSink, "append", hasty)


def remove_what_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parked blob is removed though lines were appended to it after it was read."""
    removes = Connection.remove

    async def remove(self: Connection, name: str, size: int) -> None:
        await removes(self, name, len(self._memory.contents.get(name, b"")) or size)

    monkeypatch.setattr(Connection, "remove", remove)


def forget_what_was_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart nobody looks for parked lines."""

    async def finds_nothing(self: ParkedBefore) -> None:
        self.is_found = True

    monkeypatch.setattr(ParkedBefore, "_find", finds_nothing)
    monkeypatch.setattr(ParkedBefore, "_find_again", finds_nothing)


def deliver_again_without_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parked line is appended even if an append whose outcome was unknown has stored it."""
    original = Delivery._deliver_lines

    async def blind(self: Delivery, folder: ParkedFolder, lines: Sequence[Line]) -> None:
        blobs = self._sink._open(folder.name).blobs
        assert isinstance(blobs, RollingBlobWriter)
        blobs._known.forget_ids()
        await original(self, folder, lines)

    monkeypatch.setattr(Delivery, "_deliver_lines", blind)


def deliver_lines_before_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """The object of a parked line is delivered after the line."""

    async def later(
        self: ObjectDelivery, folder: ParkedFolder, lines: Sequence[Line], damaged: Sequence[bytes]
    ) -> None:
        """The rest is delivered after all lines."""

    monkeypatch.setattr(ObjectDelivery, "deliver_named", later)


def know_what_is_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids of parked lines are known until their folder is no longer parked."""

    async def does_nothing(self: ParkedBlobWriter, name: str) -> None:
        """The ids stay known, and the blob is not left."""

    draw = World._draw

    def restored(self: World) -> None:
        draw(self)
        self.restored, self.stays_broken = True, False

    monkeypatch.setattr(ParkedBlobWriter, "retire", does_nothing)
    monkeypatch.setattr(World, "_draw", restored)


BUGS: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    return_to_direct_appends_too_early: (
        "order: .* after a later one|stuck: these are still parked|I4 acknowledged lines have vanished without a note"
    ),
    acknowledge_before_parking: "I2 acknowledged, but not durable at this moment",
    remove_what_has_grown: "I2 acknowledged, but n",
    forget_what_was_parked: "stuck: these are still parked|order: .* after a later one of their producer",
    deliver_again_without_looking: "I2 stored more than once",
    deliver_lines_before_objects: "I2 stored before the object it points to",
    know_what_is_delivered: "I2 acknowledged, but n|I4 acknowledged lines have vanished without a note",
}


@pytest.mark.parametrize(("plant", "finding"), BUGS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], finding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_that_it_is_found(plant, finding, monkeypatch)
