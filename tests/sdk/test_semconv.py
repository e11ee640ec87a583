from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata import semconv


@pytest.mark.parametrize("name", ["a", "model_inputs", "my-endpoint", "v1.2", "0", "A" * 128])
def test_a_name_in_the_allow_list_is_accepted(name: str) -> None:
    assert semconv.is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a..b",
        "a.",
        "a/b",
        "a/../b",
        "/a",
        "a\\b",
        "%2e%2e",
        "_a",
        "-a",
        ".a",
        "a b",
        "a\n",
        "a\r\n",
        "a\x00",
        "A" * 129,
        "a" * 1100,
        "ａ",  # noqa: RUF001 - the look-alike is the point
        "é",
        "١",  # noqa: RUF001 - another one
    ],
)
def test_any_other_name_is_refused(name: str) -> None:
    assert not semconv.is_name(name)


@given(st.text())
def test_no_allowed_name_leaves_its_folder(name: str) -> None:
    if semconv.is_name(name):
        assert name.isascii()
        assert "/" not in name
        assert "\\" not in name
        assert ".." not in name
        assert not name.endswith(".")
        assert 1 <= len(name) <= 128


@pytest.mark.parametrize(
    ("name", "legal"),
    [
        ("scorer", "scorer"),
        ("Credit Scoring API", "Credit-Scoring-API"),
        ("ms/cart", "ms-cart"),
        ("Drupal/Apache/8.17", "Drupal-Apache-8.17"),
        ("puntuación", "puntuacion"),
        ("_private", "private"),
        ("scoring:v2", "scoring-v2"),
        ("@acme/scoring", "acme-scoring"),
        ("scoring.", "scoring"),
        ("../x", "x"),
        ("a...b", "a.b"),
        ("a / b", "a-b"),
        ("", ""),
        ("  ", ""),
        ("/", "service-8a5edab2"),
        ("服务", "service-ec309ab2"),
        ("straße", "stra-e-787f4770"),
        ("x" * 129, f"{'x' * 119}-0ec9eb33"),
    ],
)
def test_a_name_that_was_chosen_for_traces_is_made_legal(name: str, legal: str) -> None:
    assert semconv.legal_name(name) == legal


@given(st.text(max_size=300))
def test_a_name_made_legal_is_legal_and_stays_as_it_is(name: str) -> None:
    legal = semconv.legal_name(name)
    assert semconv.is_name(legal) or not name.strip()
    assert semconv.legal_name(legal) == legal
    assert legal == name or not semconv.is_name(name)


@pytest.mark.parametrize(("name", "allowed"), [("tenant", True), ("a1", True), ("", False), ("Tenant", False)])
def test_extension_names_are_those_of_cloudevents(name: str, *, allowed: bool) -> None:
    assert semconv.is_extension_name(name) is allowed
    assert not semconv.is_extension_name(name + "-x")
    assert not semconv.is_extension_name("a" * 21)


def test_the_sampling_decision_is_the_documented_hash_so_that_other_languages_agree() -> None:
    # printf test | sha256sum = 9f86d081884c7d65...: 0x9f86d081884c7d65 / 2^64 = 0.62315...
    assert not semconv.is_sampled("test", 0.623)
    assert semconv.is_sampled("test", 0.6232)


def test_a_rate_of_one_samples_everything_and_of_zero_nothing() -> None:
    ids = [f"id-{n}" for n in range(1000)]
    assert all(semconv.is_sampled(i, 1.0) for i in ids)
    assert not any(semconv.is_sampled(i, 0.0) for i in ids)


@pytest.mark.parametrize("rate", [0.005, 0.1, 0.29, 0.5])
def test_the_sampled_share_equals_the_rate(rate: float) -> None:
    generator = random.Random(7)
    taken = sum(semconv.is_sampled(str(generator.getrandbits(128)), rate) for _ in range(20_000))
    # Five standard deviations of a binomial: a wrong rate fails, chance does not.
    assert abs(taken - 20_000 * rate) < 5 * (20_000 * rate * (1 - rate)) ** 0.5


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_ids_sampled_at_a_low_rate_are_sampled_at_every_higher_rate(
    correlation_id: str, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    if semconv.is_sampled(correlation_id, low):
        assert semconv.is_sampled(correlation_id, high)
