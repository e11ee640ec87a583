"""Hashes of ids are the same however many are hashed at once, and in every process."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.auditing.summaries.id_hashes import hash_of, hashes_of, in_space


@given(st.lists(st.text()))
def test_a_text_has_one_hash(texts: list[str]) -> None:
    assert hashes_of(texts).tolist() == [hash_of(text) for text in texts]
    assert len(set(hashes_of(texts).tolist())) == len(set(texts))


def test_hashes_do_not_differ_between_processes() -> None:
    """Summaries in stores have them: another function makes every summary useless."""
    ids = ["", "a", "\0", "e730cb28-d22f-02f3-50e9-e079c79d4440", "\u00e9" * 100, "\ud800"]
    assert hashes_of(ids).tolist() == EXPECTED
    assert in_space(hashes_of(ids[:2]), np.array([7], np.int64)).tolist() == IN_SPACE


def test_similar_ids_have_different_hashes() -> None:
    ids = [f"{number:032x}" for number in range(300_000)]
    assert len(np.unique(hashes_of(ids))) == len(ids)
    assert len(np.unique(hashes_of([f"event-{number}" for number in range(300_000)]))) == len(ids)


EXPECTED = [
    0,
    -5910244866008511758,
    2902805962516761537,
    -7530284016882705473,
    -3424093838011691668,
    2611147492262857150,
]
IN_SPACE = [1346066267577507604, 7542456705464016463]
