"""What is known of parked objects is bounded, and what is not remembered counts as new, so that it is delivered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_receiver.storage.parking.folder_objects import FolderObjects, ObjectRoom

STEP = st.tuples(st.sampled_from(["ask", "put", "forget", "forget all"]), st.integers(0, 1), st.sampled_from("abcdef"))


@given(st.lists(STEP, max_size=60), st.integers(0, 4))
def test_all_folders_together_remember_no_more_objects_than_there_is_room_for(
    steps: list[tuple[str, int, str]], most: int
) -> None:
    room = ObjectRoom(most)
    folders = [FolderObjects(room, ObjectRoom()), FolderObjects(room, ObjectRoom())]
    put: list[set[str]] = [set(), set()]
    for step, number, name in steps:
        match step:
            case "ask":
                folders[number].ask(name, "id")
                put[number].add(name)
            case "put":
                folders[number].put(name)
                put[number].add(name)
            case "forget":
                folders[number].forget(name)
                put[number].discard(name)
            case "forget all":
                folders[number].forget_all()
                put[number].clear()
        assert sum(len(one._own) for one in folders) <= most
        assert all(one.is_own(name) for one, names in zip(folders, put, strict=True) for name in names)
    for one in folders:
        one.forget_all()
    assert [room.take() for _ in range(most + 1)] == [True] * most + [False]


def test_an_object_of_very_many_lines_counts_as_one_of_new_lines() -> None:
    objects = FolderObjects(ObjectRoom(), ObjectRoom())
    for number in range(8):
        objects.ask("image", str(number))
    assert objects.asked("image") == set("01234567")
    for number in range(8, 1000):
        objects.ask("image", str(number))
    assert (objects.asked("image"), len(objects._own["image"].ids)) == (set(), 9)
    assert objects.is_own("image")


def test_doubt_ends_when_an_object_is_parked_once_more() -> None:
    objects = FolderObjects(ObjectRoom(), ObjectRoom())
    objects.doubt(["a", "b"])
    objects.put("a")
    assert [objects.is_doubtful(name) for name in "ab"] == [False, True]
    objects.forget("b")
    assert not objects.is_doubtful("b")
