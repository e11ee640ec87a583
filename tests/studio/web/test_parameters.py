from __future__ import annotations

import pytest

from otel_modeldata_studio.web.parameters import ParameterError, Parameters


def screen(
    studio: object,
    *,
    deployment: str,
    since: str | None = None,
    limit: int = 100,
    newest: bool = True,
    columns: tuple[str, ...] = (),
) -> None:
    """A function as screens have them."""


TAKEN = Parameters(screen)


def test_texts_numbers_switches_and_lists_become_arguments() -> None:
    query = [
        ("deployment", "shop/blue"), ("since", "-24h"), ("limit", "20"), ("newest", "0"), ("columns", "inputs.a b"),
        ("columns", "inputs.é"),
    ]  # fmt: skip
    assert TAKEN.read(query) == {
        "deployment": "shop/blue",
        "since": "-24h",
        "limit": 20,
        "newest": False,
        "columns": ("inputs.a b", "inputs.é"),
    }


def test_what_is_not_given_is_left_to_the_function() -> None:
    assert TAKEN.read([("deployment", "shop/blue"), ("since", "")]) == {"deployment": "shop/blue", "since": None}


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ([], "expected the parameter 'deployment', got none: add it to the URL"),
        (
            [("deployment", "a"), ("evil", "1")],
            "expected one of deployment, since, limit, newest, columns, got 'evil': leave it out",
        ),
        ([("deployment", "a"), ("deployment", "b")], "expected one value for 'deployment', got 2: give one"),
        (
            [("deployment", "a"), ("limit", "1e9")],
            "expected 1 to 100,000 for 'limit', got '1e9': give such a number",
        ),
        ([("deployment", "a"), ("limit", "0")], "expected 1 to 100,000 for 'limit', got '0': give such a number"),
        ([("deployment", "a"), ("limit", "٣")], "expected 1 to 100,000 for 'limit', got '٣': give such a number"),
        ([("deployment", "a"), ("newest", "yes")], "expected 0 or 1 for 'newest', got 'yes': give one of them"),
        (
            [("deployment", "x" * 40_000)],
            "expected at most 32,768 characters for 'deployment', got 40,000: give less",
        ),
        (
            [("deployment", "a"), *[("columns", "c")] * 1001],
            "expected at most 1,000 values for 'columns', got 1,001: give fewer",
        ),
    ],
)
def test_a_wrong_query_is_a_sentence(query: list[tuple[str, str]], sentence: str) -> None:
    with pytest.raises(ParameterError) as caught:
        TAKEN.read(query)
    assert str(caught.value) == sentence


def test_a_keyword_that_no_text_becomes_is_known_at_the_start() -> None:
    def wrong(studio: object, *, when: float) -> None: ...

    with pytest.raises(TypeError, match="no query of a URL is one"):
        Parameters(wrong)
