"""The options of Spark's format: read without regard to case, and each mistake is one sentence."""

from __future__ import annotations

import pytest

from otel_modeldata_reader import ReaderError
from otel_modeldata_reader.engines.spark_options import SparkOptions, read_options

NEEDED = {"store": "/data", "collection": "shop/blue/model_inputs"}


def test_options_are_read_without_regard_to_case() -> None:
    given = {"Store": "/data", "COLLECTION": "/shop/blue/model_inputs/", "since": "-7d", "Envelope": "False"}
    given |= {"max_bytes_per_batch": "1000", "where": "age > 1", "strict": "true", "until": "2026-11-22"}
    assert read_options(given) == SparkOptions(
        store="/data",
        collection="shop/blue/model_inputs",
        since="-7d",
        until="2026-11-22",
        where="age > 1",
        envelope=False,
        strict=True,
        max_bytes_per_batch=1000,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"store": "/data"}, "expected the option 'collection' of the format modeldata, got none"),
        (NEEDED | {"sicne": "-1d"}, "expected an option of the format modeldata, got 'sicne': did you mean 'since'"),
        (NEEDED | {"envelope": "no"}, "expected true or false as envelope, got 'no'"),
        (NEEDED | {"max_bytes_per_batch": "0"}, "expected a number of bytes as max_bytes_per_batch, got '0'"),
        (
            NEEDED | {"store": "https://a.blob.core.windows.net/c?sig=SECRET"},
            "expected a store whose URL has no secret",
        ),
    ],
)
def test_a_mistake_is_one_sentence_without_secrets(options: dict[str, str], message: str) -> None:
    with pytest.raises(ReaderError) as raised:
        read_options(options)
    assert str(raised.value).startswith(message)
    assert "SECRET" not in str(raised.value)
