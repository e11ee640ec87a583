"""A line whose references are rewritten: nothing else of it changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_receiver.commands.relink.line_references import Counts, rewritten

HOUR = "credit/blue/model_inputs/2026/11/22/12"
ROWS = f"{HOUR}/files/e1-0f.json"
OLD = f"/old é/{ROWS}"


def changed(line: bytes, *names: str, root: str = "/new place") -> tuple[bytes, Counts]:
    counts = Counts()
    return rewritten(line, HOUR, set(names), lambda name: f"{root}/{name}", counts), counts


def encoded(**keys: Any) -> bytes:
    return json.dumps(keys, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize(
    "keys",
    [
        {"dataref": OLD},
        {"data": OLD, "datainblob": "true"},
        {"recordref": OLD, "resource": "AA=="},
        {"record": "AA==", "resourceref": OLD},
        {"requestref": OLD, "records": 7},
    ],
    ids="+".join,
)
def test_every_kind_of_reference_leads_to_where_the_payload_is(keys: dict[str, Any]) -> None:
    line = encoded(id="é\u2028", **keys, tail='"dataref":"/x"')
    new, counts = changed(line, ROWS)
    assert new == line.replace(OLD.encode(), f"/new place/{ROWS}".encode())
    assert counts == Counts(rewritten=1)
    assert changed(new, ROWS) == (new, Counts(right=1))


def test_a_reference_without_a_payload_stays_as_it_is() -> None:
    missing, foreign = encoded(dataref=OLD), encoded(dataref="https://a.blob.core.windows.net/c/exports/x")
    assert changed(missing) == (missing, Counts(missing=1))
    assert changed(foreign, ROWS) == (foreign, Counts(foreign=1))


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b'{"data":[{"dataref":"/old/x"}]}\n',
        encoded(data=[{"dataref": OLD}], datainblob="false"),
        encoded(data=[1], datainblob="true"),
        encoded(dataref=None),
        encoded(dataref=OLD)[:-3],
        b'["dataref"]\n',
        b'{"dataref":"\xff"}\n',
        b'{"dataref":' + b"[" * 100_000,
    ],
)
def test_what_is_no_reference_is_not_changed(line: bytes) -> None:
    assert changed(line, ROWS)[0] == line


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text().filter(lambda key: not key.startswith("data") and not key.endswith("ref")), _JSON),
    st.booleans(),
    st.sampled_from([b"\n", b"\r\n", b""]),
)
def test_all_other_keys_keep_their_order_and_their_bytes(keys: dict[str, Any], is_first: bool, end: bytes) -> None:
    reference = {"dataref": OLD}
    line = encoded(**({**reference, **keys} if is_first else {**keys, **reference})).rstrip(b"\n") + end
    new, counts = changed(line, ROWS, root='/a "quoted" place')
    assert counts == Counts(rewritten=1)
    decoded = json.loads(new)
    assert list(decoded.items()) == [
        (key, f'/a "quoted" place/{ROWS}' if key == "dataref" else value) for key, value in json.loads(line).items()
    ]
    assert new.endswith(end)
    assert changed(new, ROWS, root="/old é")[0] == line
