"""The line of a key or an entry in a YAML text."""

from __future__ import annotations

from otel_modeldata.validation.problems import child
from otel_modeldata_receiver.commands.check.yaml_lines import YamlLines


def test_a_line_is_found_through_aliases_and_lists() -> None:
    lines = YamlLines("a: &x\n  b: 1\nc:\n  - *x\n  - {d: 2}\nself: &s\n  again: *s\n")
    assert [lines.of(path) for path in ("a.b", "c[1].d", "c[0].b", "self.again.again", "c[9]", "d", "")] == [
        2,
        5,
        2,
        7,
        3,
        None,
        None,
    ]


def test_a_key_with_dots_is_one_key() -> None:
    lines = YamlLines("a:\n  b: 1\na.b: 2\n'it''s': 3\n")
    assert (lines.repeated, [lines.of(path) for path in ("a.b", "['a.b']", child("", "it's"))]) == ({}, [2, 3, 4])
