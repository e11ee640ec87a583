"""What is known of parked objects is bounded, and what is not remembered counts as new, so that it is delivered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_receiver.storage.parking.folder_objects import FolderObjects, ObjectRoom

KIND = st.sampled_from(["ask", "put", "find", "forget", "forget all"])
STEP = st.tuples(KIND, st.integers(0, 1), st.sampled_from("abcdef"))


@given(st.lists(STEP, max_size=60), st.integers(0, 4))
def test_all_folders_together_remember_no_more_objects_than_there_is_room_for(
    steps: list[tuple[str, int, str]], most: int
) -> None:
    room, found_room = ObjectRoom(most), ObjectRoom(most)
    folders = [FolderObjects(room, found_room), FolderObjects(room, found_room)]
    put: list[set[str]] = [set(), set()]
    found: list[set[str]] = [set(), set()]
    for step, number, name in steps:
        match step:
            case "ask":
                folders[number].ask(name, "id")
                put[number].add(name)
                found[number].discard(name)
            case "put":
                before = folders[number].last_put(name)
                folders[number].put(name)
                assert folders[number].last_put(name) != before
                put[number].add(name)
                found[number].discard(name)
            case "find" if not put[number]:
                folders[number].find([name])
                found[number].add(name)
            case "forget":
                folders[number].forget(name)
                put[number].discard(name)
                found[number].discard(name)
            case "forget all":
                folders[number].forget_all()
                put[number].clear()
                found[number].clear()
        assert sum(len(one._own) for one in folders) <= most
        assert sum(len(one._found) for one in folders) <= most
        for one, own, others in zip(folders, put, found, strict=True):
            assert not any(one.is_own(name) for name in others)
            if not one._has_unknown_found:
                assert all(one.is_own(name) for name in own)
    for one in folders:
        one.forget_all()
    for each in (room, found_room):
        assert [each.take() for _ in range(most + 1)] == [True] * most + [False]


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


def test_none_that_is_not_remembered_counts_as_own_if_too_many_were_found() -> None:
    objects = FolderObjects(ObjectRoom(1), ObjectRoom(2))
    objects.find(["a", "b", "c"])
    for name in ("x", "y"):
        objects.put(name)
    assert [objects.is_own(name) for name in "abcxy"] == [False, False, False, True, False]


def test_what_was_found_is_own_when_it_is_parked_once_more() -> None:
    objects = FolderObjects(ObjectRoom(1), ObjectRoom(2))
    objects.find(["a", "b"])
    objects.put("x")
    objects.put("a")
    assert [objects.is_own(name) for name in "ab"] == [True, False]
    assert (objects.last_put("a"), objects.last_put("b")) == (2, 0)
