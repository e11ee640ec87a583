"""YAML is read, or refused for a reason that quotes nothing of the text."""

from __future__ import annotations

import pytest

from otel_modeldata.validation.yaml_text import YamlTextError, read_yaml


def test_yaml_is_read() -> None:
    assert read_yaml("a: [1, 'x']\nb: null\n") == {"a": [1, "x"], "b": None}
    assert read_yaml(b"\xef\xbb\xbfa: 1\n") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (
            "a: 1\nb: authorization=Bearer hunter2: x\n",
            2,
            "mapping values are not allowed here in line 2, column 32",
        ),
        ("a: *hunter2\n", 1, "found undefined alias in line 1, column 4"),
        ("a: !hunter2 x\n", 1, "could not determine a constructor for the tag in line 1, column 4"),
        ("a: &hunter2 1\nb: &hunter2 2\n", 2, "found duplicate anchor; first occurrence, second occurrence in line 2"),
        ("a: !!int hunter2\n", None, "a value that is not what its tag says (ValueError)"),
        ("a: !!bool hunter2\n", None, "a value that is not what its tag says (KeyError)"),
        ("a: !!timestamp hunter2\n", None, "a value that is not what its tag says (AttributeError)"),
        ("a: 2026-02-30\n", None, "day is out of range for month"),
        ("a: " + "[" * 5000, None, "too many nested levels: nest it less"),
        (
            "a: [",
            1,
            "while parsing a flow node, expected the node content, but found '<stream end>' in line 1, column 5",
        ),
    ],
)
def test_the_reason_names_the_place_and_quotes_no_value(text: str, line: int | None, reason: str) -> None:
    with pytest.raises(YamlTextError) as caught:
        read_yaml(text)
    assert str(caught.value).startswith(reason)
    assert "hunter2" not in str(caught.value)
    assert caught.value.line == line
    assert caught.value.__suppress_context__
