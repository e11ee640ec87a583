"""What a deployment adds to a memory that all share."""

from __future__ import annotations

from otel_modeldata_receiver.mapping.line_template.places import Places


def test_what_was_not_used_for_the_longest_time_is_forgotten() -> None:
    places: Places[int] = Places(3, 2)
    lost = [places.add(number, f"t-{number}") for number in range(3)]
    places.use(0, "t-0")
    lost.append(places.add(3, "t-3"))
    assert (lost, list(places)) == ([None, None, None, 1], [3, 0, 2])


def test_a_deployment_with_all_its_places_loses_its_own() -> None:
    places: Places[int] = Places(4, 2)
    lost = [places.add(0, "other")] + [places.add(number, "many") for number in range(1, 5)]
    assert (lost, list(places)) == ([None, None, None, 1, 2], [4, 3, 0])


def test_what_another_deployment_uses_does_not_count_for_the_one_that_added_it() -> None:
    places: Places[int] = Places(4, 1)
    lost = [places.add(0, "many")]
    places.use(0, "other")
    lost += [places.add(1, "many"), places.add(2, "many")]
    assert (lost, list(places)) == ([None, None, 1], [2, 0])


def test_a_place_can_be_freed_twice() -> None:
    places: Places[int] = Places(2, 1)
    places.add(0, "t")
    places.forget(0)
    places.forget(0)
    assert len(places) == 0
