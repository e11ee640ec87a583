"""Columns of ids and names say how many values they have and are not compared; the others are as in a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opened_studio import opened_studio, whole

from otel_modeldata_studio.profiles.facet import Facet, Value
from otel_modeldata_studio.screens import explore
from otel_modeldata_studio.screens.feature import feature
from otel_modeldata_studio.screens.request import request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from two_days import TwoDays

    from otel_modeldata_studio.studio import Studio

BLUE = "shop/blue"


@pytest.fixture(scope="module")
def studio(two_days: TwoDays) -> Iterator[Studio]:
    with opened_studio(two_days.root) as opened:
        yield opened


@pytest.fixture(scope="module")
def facets(studio: Studio, two_days: TwoDays) -> dict[str, Facet]:
    """The facets of the second day beside the first one, in their order."""
    asked = {"deployment": BLUE, "since": two_days.at(24), "baseline": f"{two_days.at(48)}..{two_days.at(24)}"}
    return {one.column: one for one in whole(lambda: explore.facets(studio, **asked)).facets}


def test_ids_have_a_number_of_values_and_no_index(facets: dict[str, Facet], two_days: TwoDays) -> None:
    expected = Facet(column="inputs.flight", kind="text", rows=480, nulls=0, distinct=480, values=[], other=480)
    assert facets["inputs.flight"] == expected


def test_what_changed_most_comes_first_then_times_then_what_is_not_compared(facets: dict[str, Facet]) -> None:
    places = [2 if one.psi is None else 1 if one.kind == "time" else 0 for one in facets.values()]
    assert places == sorted(places)
    assert set(places) == {0, 1, 2}
    for place in (0, 1):
        indices = [one.psi or 0.0 for one, at in zip(facets.values(), places, strict=True) if at == place]
        assert indices == sorted(indices, reverse=True)


def test_a_small_window_of_ids_is_not_compared_with_a_long_baseline(studio: Studio, two_days: TwoDays) -> None:
    asked = {"deployment": BLUE, "since": two_days.at(2), "baseline": f"{two_days.at(48)}..{two_days.at(24)}"}
    (facet,) = whole(lambda: explore.facets(studio, columns=("inputs.flight",), **asked)).facets
    assert facet == Facet(column="inputs.flight", kind="text", rows=40, nulls=0, distinct=40, values=[], other=40)
    of_feature = whole(lambda: feature(studio, column="inputs.flight", **asked))
    assert (of_feature.facet, of_feature.psi, of_feature.shares) == (facet, [], {})


def test_texts_of_which_some_are_frequent_show_these(studio: Studio, two_days: TwoDays) -> None:
    from otel_modeldata_studio.profiles.facet import text_facet

    plain = Facet(column="inputs.city", kind="text", rows=300, nulls=0, distinct=201)
    counts = {"Paris": 60, "Rome": 41, **{f"village {n}": 1 for n in range(199)}}
    assert text_facet(plain, counts).values == [Value(value="Paris", count=60), Value(value="Rome", count=41)]
    assert text_facet(plain, counts).other == 199


def test_the_index_of_each_column_is_that_of_a_report(
    studio: Studio, facets: dict[str, Facet], two_days: TwoDays
) -> None:
    since, baseline = two_days.at(24), f"{two_days.at(48)}..{two_days.at(24)}"
    report = studio.store.report(f"{BLUE}/model_inputs", since, baseline=baseline).figures
    (collection,) = report.collections
    compared = {f"inputs.{one.name}": one.drift and one.drift.psi for one in collection.columns}
    assert {name for name, psi in compared.items() if psi is None} == {"inputs.flight"}
    assert compared["inputs.seats"]
    for name, psi in compared.items():
        expected = None if psi is None else pytest.approx(psi, rel=1e-9)
        assert facets[name].psi == expected, name
        asked = {"deployment": BLUE, "column": name, "since": since, "baseline": baseline}
        of_feature = whole(lambda asked=asked: feature(studio, **asked))
        assert of_feature.facet.psi == expected, name


def test_ids_and_later_times_have_no_place_in_a_baseline(studio: Studio, two_days: TwoDays) -> None:
    baseline = f"{two_days.at(48)}..{two_days.at(24)}"
    found = whole(lambda: request(studio, id="batch-040_3", baseline=baseline))
    places = {one.column: one.place for one in found.values}
    assert (places["inputs.flight"], places["inputs.departed"]) == (None, None)
    assert places["inputs.age"] is not None
    assert places["inputs.plan"] is not None
    of_baseline = whole(lambda: request(studio, id="batch-003_3", baseline=baseline))
    before = {one.column: one.place for one in of_baseline.values}
    assert before["inputs.departed"] is not None
    assert before["inputs.flight"] is None
