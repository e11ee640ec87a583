"""What labels take in memory is no less than the characters of the names that are made of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata._encoding.column_names import ColumnNames, kept_labels
from otel_modeldata._encoding.kept.memory import labels_bytes, text_labels_bytes

TEXTS = st.lists(st.sampled_from(["a", "A", "a_1", "", "é" * 9, "€", "😀", "correlationid"]) | st.text(), min_size=1)
INTEGERS = st.lists(st.sampled_from([0, 7, 2**63 - 1, -(2**63)]), min_size=1)


@given(TEXTS | INTEGERS)
def test_labels_that_are_kept_as_text_or_integers_take_more_than_their_names(labels: list[str] | list[int]) -> None:
    is_text = isinstance(labels[0], str)
    kept = kept_labels(pd.Index(labels, dtype=object if is_text else np.int64))
    assert type(kept) is tuple
    for rename in (False, True):
        assert sum(map(len, ColumnNames(kept, rename=rename).names)) <= labels_bytes(kept)
    if is_text:
        assert text_labels_bytes(kept) == labels_bytes(kept)
