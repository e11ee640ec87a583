"""A wrong name leads to those that it may mean."""

from __future__ import annotations

import pytest

from otel_modeldata_reader.nearest import nearest

KNOWN = ["shop/blue/model_inputs", "shop/blue/model_outputs", "shop/blue/request", "shop/green/ground_truth"]
ALL = f"there are {', '.join(map(repr, KNOWN))}"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("shop/blue/model_input", "did you mean 'shop/blue/model_inputs' or 'shop/blue/model_outputs'?"),
        ("shop/blue/requests", "did you mean 'shop/blue/request'?"),
        ("shop/blue/REQUEST", "did you mean 'shop/blue/request'?"),
        ("shop/blue/ground_truth", "did you mean 'shop/green/ground_truth'?"),
        ("shop/blue/nope", ALL),  # its folder is right, so it is like all names in it
        ("shop/bule/request", "did you mean 'shop/blue/request'?"),
        ("nope", ALL),
    ],
)
def test_the_advice_names_what_may_be_meant(name: str, advice: str) -> None:
    assert nearest(name, KNOWN) == advice


def test_of_many_names_those_of_the_folder_are_shown() -> None:
    known = [f"a/b/{number}" for number in range(9)] + ["z/y/1"]
    assert nearest("z/y/none", known) == "there are 'z/y/1', 'a/b/0', 'a/b/1', 'a/b/2', 'a/b/3' and 5 more"
    assert nearest("x", []) == "there are none"
