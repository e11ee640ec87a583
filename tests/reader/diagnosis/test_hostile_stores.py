"""Whatever a store has and whatever is asked, a diagnosis is an answer; it reads a bounded part and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import otel_modeldata_reader as reader

ROOTS = [
    "shop/blue/model_inputs",
    "shop/blue/model_inputs_block_blob",
    "shop",
    "",
    "_quarantine",
    "_vanished",
    "_index",
]
ROOTS += ["_parked/shop/blue/model_inputs", "_parked/_at/lake/x", "_parked/_quarantine", "_parked", "a b/\u202e"]
DATES = ["2026/11/22/10", "2026/11/22", "9999/12/31/23", "0000/00/00/00", "2026/13/45", "2026", "", "2026/11/22/10/59"]
FILES = [f"{0:032x}000000.jsonl", ".jsonl", "n.json", "files/a%2Fb/x", f"{0:032x}0-5-{0:064x}.delivered"]
PARTS = st.tuples(st.sampled_from(ROOTS), st.sampled_from(DATES), st.sampled_from(FILES))
PATHS = PARTS.map(lambda parts: "/".join(part for part in parts if part))
NAMES = st.sampled_from(["", "shop", "shop/blue", "shop/blue/model_inputs", "_quarantine", "_parked/shop", "x/y/z"])
TEXTS = st.sampled_from(["", "a: b", "x" * 300, "=", "AAAA", "/w==", "shop", "../..", "\x1b", "9" * 30])
VALUES: st.SearchStrategy[Any] = TEXTS | st.integers(-(2**70), 2**70) | st.none() | st.lists(st.integers(), max_size=2)
KEYS = [
    "id",
    "reason",
    "record",
    "recordref",
    "resource",
    "resourceref",
    "request",
    "requestref",
    "records",
    "endpoint",
]
KEYS += ["collection", "blob", "time", "expected", "found", "lines"]
LINES = st.dictionaries(st.sampled_from(KEYS), VALUES).map(lambda line: json.dumps({"id": "x"} | line).encode() + b"\n")
CONTENTS = st.lists(LINES | st.binary(max_size=20), max_size=4).map(b"".join)


@settings(max_examples=50)
@given(files=st.dictionaries(PATHS, CONTENTS, max_size=6), asked=NAMES | st.text(max_size=20))
def test_every_store_and_every_name_has_an_answer(files: dict[str, bytes], asked: str) -> None:
    with TemporaryDirectory() as folder:
        written = {}
        for name, content in files.items():
            path = Path(folder, name)
            if not path.exists() and all(one.is_dir() for one in path.parents if one.exists()):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                written[path] = content
        found = reader.why(folder, asked)
        assert found.findings
        assert str(found)
        assert {one: one.read_bytes() for one in Path(folder).rglob("*") if one.is_file()} == written
