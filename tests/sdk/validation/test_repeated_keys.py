from __future__ import annotations

import pytest

from otel_modeldata.validation.problems import Problem
from otel_modeldata.validation.repeated_keys import repeated_keys


def _problem(path: str, first: int, second: int) -> Problem:
    lines = f"in line {first} and in line {second}"
    return Problem(path, f"expected each key once, got it {lines}: remove one of them")


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ()),
        ("a: 1\nb: {a: 1}\nc: [{a: 1}, {a: 2}]\n", ()),
        ("a: 1\nb: 2\na: 3\n", (_problem("a", 1, 3),)),
        ("a: 1\na: 2\na: 3\n", (_problem("a", 1, 2),)),
        ("a: {b: 1, b: 2}\n", (_problem("a.b", 1, 1),)),
        ("a:\n- {b: 1}\n- b: 1\n  b: 2\n", (_problem("a[1].b", 3, 4),)),
        ("a: 1\n'a': 2\n", (_problem("a", 1, 2),)),
        ("1: a\n'1': b\n", ()),
        ("x: &x {a: 1}\ny:\n  <<: *x\n  a: 2\n", ()),
        ("x: &x {a: 1, a: 2}\ny: *x\n", (_problem("x.a", 1, 1), _problem("y.a", 1, 1))),
        ("x: &x\n  y: *x\n  z: 1\n  z: 2\n", (_problem("x.z", 3, 4),)),
    ],
)
def test_a_key_that_its_mapping_has_twice_is_found_with_both_lines(text: str, problems: tuple[Problem, ...]) -> None:
    assert repeated_keys(text) == problems
