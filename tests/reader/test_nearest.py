"""A wrong name leads to those that it may mean."""

from __future__ import annotations

import difflib

import pytest

from otel_modeldata_reader.nearest import misspelled, nearest

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
        ("shop/bleu/model_inputs", "did you mean 'shop/blue/model_inputs'?"),
        ("shop/bleu/model_input", "did you mean 'shop/blue/model_inputs' or 'shop/blue/model_outputs'?"),
        ("model_input", "did you mean 'shop/blue/model_inputs'?"),
        ("shop/green/model_outputs", "did you mean 'shop/blue/model_outputs'?"),  # not labels, which are beside it
        ("other/red/model_outputs", ALL),  # that all names end alike says nothing
        ("nope", ALL),
    ],
)
def test_the_advice_names_what_may_be_meant(name: str, advice: str) -> None:
    assert nearest(name, KNOWN) == advice


def test_of_many_names_those_of_the_folder_are_shown() -> None:
    known = [f"a/b/{number}" for number in range(9)] + ["z/y/1"]
    assert nearest("z/y/none", known) == "there are 'z/y/1', 'a/b/0', 'a/b/1', 'a/b/2', 'a/b/3' and 5 more"
    assert nearest("x", []) == "there are none"


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("shop/blue/model_outputs", KNOWN[:1], []),  # it has not come yet
        ("shop/bleu/model_outputs", KNOWN[:1], []),
        ("shop/blue/ground_truth", KNOWN, []),
        ("shop/blue/scores", ["shop/blue/score", "shop/green/scores"], ["shop/blue/score"]),
        ("shop/bleu", ["shop/blue", "shop/green", "blue/shop"], ["shop/blue"]),
        ("Age", ["age", "income"], ["age"]),
        (
            "model_input",
            ["endpoint-7/deployment/model_inputs", "endpoint-7/deployment/request", "endpoint-8/other/model_inputs"],
            ["endpoint-7/deployment/model_inputs", "endpoint-8/other/model_inputs"],
        ),
        ("defaul", ["endpoint-number-7/default", "endpoint-number-7/default/request"], ["endpoint-number-7/default"]),
    ],
)
def test_a_name_is_misspelled_only_if_each_part_is_like_that_of_another_one(
    name: str, known: list[str], meant: list[str]
) -> None:
    assert misspelled(name, known) == meant


@pytest.mark.parametrize("name", ["a/b/zzzz", "a/c/zzzz", "zzzz", "a/b/c/" + "y" * 100_000])
def test_of_very_many_or_very_long_names_some_are_compared(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    real = difflib.SequenceMatcher.set_seq1

    def counting(matcher: difflib.SequenceMatcher[str], text: str) -> None:
        compared.append(text)
        real(matcher, text)

    monkeypatch.setattr(difflib.SequenceMatcher, "set_seq1", counting)
    known = [f"a/b/{number:05d}" for number in range(20_000)] + ["a/b/c/" + "x" * 100_000]
    assert nearest(name, known).startswith("there are 'a/b/")
    assert len(compared) <= 4_100
    assert max(map(len, compared)) <= 200
