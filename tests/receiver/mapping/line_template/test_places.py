"""What a deployment adds to a memory that all share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

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


STEPS = st.lists(st.tuples(st.sampled_from(["add", "use", "forget"]), st.integers(0, 9), st.sampled_from("abc")))


@given(STEPS)
def test_no_deployment_has_more_than_its_places(steps: list[tuple[str, int, str]]) -> None:
    """Compared with a list of what each added and alone uses."""
    places: Places[int] = Places(5, 2)
    alone: dict[int, str] = {}
    known: list[int] = []
    for number, (step, place, tenant) in enumerate(steps):
        key = known[place % len(known)] if known else None
        if step == "add" or key is None:
            lost = places.add(number, tenant)
            own = [one for one in known if alone.get(one) == tenant]
            assert lost == (own[0] if len(own) == 2 else known[0] if len(known) == 5 else None)
            known = [*(one for one in known if one != lost), number]
            alone[number] = tenant
        elif step == "use":
            places.use(key, tenant)
            known = [*(one for one in known if one != key), key]
            if alone.get(key) != tenant:
                alone.pop(key, None)
        else:
            places.forget(key)
            known.remove(key)
        assert list(places) == known[::-1]
