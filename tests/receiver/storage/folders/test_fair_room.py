"""Room for names of many folders: bounded, and each folder has its share."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_receiver.storage.folders.fair_room import FairRoom


def filled(most: int, **counts: int) -> FairRoom[str]:
    room: FairRoom[str] = FairRoom(most)
    for folder, count in counts.items():
        for number in range(count):
            room.take(folder, f"{folder}/{number}")
    return room


def test_a_folder_takes_places_of_the_one_that_has_the_most_up_to_its_share() -> None:
    room = filled(10, a=10)
    outcomes = [room.take("b", f"b/{number}") for number in range(7)]
    assert outcomes == ["a/9", "a/8", "a/7", "a/6", "a/5", "b/5", "b/6"]
    assert (len(room.names_of("a")), len(room.names_of("b")), len(room)) == (5, 5, 10)


def test_with_more_folders_than_places_none_takes_a_place_of_another() -> None:
    room = filled(2, a=1, b=1)
    assert room.take("c", "c/1") == "c/1"
    assert (room.names_of("a"), room.names_of("b"), room.names_of("c")) == ({"a/0"}, {"b/0"}, set())


def test_a_crowded_folder_is_full_until_half_of_its_names_are_gone() -> None:
    room = filled(10, a=12)
    assert room.is_full("a")
    for number in range(5):
        assert room.is_full("a")
        room.give_back("a", f"a/{number}")
    room.give_back("a", "a/5")
    assert (room.is_crowded("a"), room.is_full("a")) == (True, False)


def test_one_whose_places_others_have_taken_is_not_looked_for_because_of_that() -> None:
    room = filled(10, a=10, b=5)
    assert (len(room.names_of("a")), room.is_full("a")) == (5, True)
    for number in range(2):
        room.give_back("a", f"a/{number}")
    assert room.is_full("a")
    room.give_back("a", "a/2")
    assert not room.is_full("a")


def test_also_one_without_a_name_is_full_until_half_of_all_are_gone() -> None:
    room = filled(2, a=1, b=1, c=1)
    assert room.is_full("c")
    room.give_back("a", "a/0")
    assert room.is_full("c")
    room.give_back("b", "b/0")
    assert not room.is_full("c")


def test_as_many_crowded_folders_as_names_are_remembered() -> None:
    room: FairRoom[str] = FairRoom(3)
    for number in range(10):
        room.take(f"folder-{number}", "name")
    assert [number for number in range(10) if room.is_crowded(f"folder-{number}")] == [7, 8, 9]
    room.uncrowd("folder-8")
    room.uncrowd("unknown")
    assert [number for number in range(10) if room.is_crowded(f"folder-{number}")] == [7, 9]


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=80), st.integers(1, 12))
def test_a_folder_below_its_share_always_finds_a_place(steps: list[tuple[int, bool]], most: int) -> None:
    room: FairRoom[str] = FairRoom(most)
    there: dict[str, str] = {}
    for number, (key, takes) in enumerate(steps):
        folder, name = f"folder-{key}", f"name-{number}"
        before = Counter(there.values())
        if takes:
            folders = len({*before, folder})
            without = room.take(folder, name)
            there[name] = folder
            if without is not None:
                assert len(there) > most
                if without == name:
                    assert before[folder] >= most // folders
                else:
                    assert before[there[without]] == max(before.values()) > most // folders
                del there[without]
        elif names := [one for one, its in there.items() if its == folder]:
            room.give_back(folder, names[0])
            del there[names[0]]
        assert len(room) == len(there) <= most
        for one in {*there.values(), folder}:
            assert room.names_of(one) == {name for name, its in there.items() if its == one}
