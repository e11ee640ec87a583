"""Which templates are learned, by which senders, and how many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from otlp_requests import NOON, backwards
from template_records import OTHER_UUID, UUID, in_turn, known_templates, ordinary, scope

from otel_modeldata import semconv
from otel_modeldata_receiver.mapping import log_record, otlp
from otel_modeldata_receiver.mapping.cloudevent import Varies
from otel_modeldata_receiver.mapping.line_template import library_templates, scope_templates, template_cache
from otel_modeldata_receiver.mapping.line_template.record_shape import shape_of
from otel_modeldata_receiver.mapping.line_template.scope_templates import _MAX_LEARNED
from otel_modeldata_receiver.mapping.line_template.template import make
from otel_modeldata_receiver.mapping.line_template.template_cache import (
    MAX_SENDERS,
    MAX_TEMPLATES,
    MOST_TEMPLATES,
    TemplateCache,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_record_with_other_ids_and_times_is_not_learned_again() -> None:
    cache = TemplateCache()
    raw = []
    for number in range(1, 9):
        values = {
            semconv.CLOUDEVENTS_EVENT_ID: f"{UUID[:-1]}{number}",
            semconv.AZUREML_PRODUCER_SEQUENCE: 300 + number,
            semconv.AZUREML_CORRELATION_ID: f"{OTHER_UUID[:-1]}{number}",
            "code.function": f"f{number}",
        }
        time = {"time_ns": NOON + number, "trace_id": bytes([number]) * 16, "observed_time_unix_nano": NOON - number}
        raw.append(ordinary(values, f'[{{"a":{"1" * number}}}]', **time).SerializeToString())
    assert in_turn(raw, cache) == [False] * 3 + [True] * 5
    assert known_templates(cache) == 1


def unlike(number: int) -> bytes:
    """A record with a shape of its own for each number."""
    return ordinary({semconv.AZUREML_MODEL_VERSION: f"v{number:04}"}).SerializeToString()


def test_shapes_that_are_seen_once_are_never_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    cuts = []
    original = library_templates.shape_of
    monkeypatch.setattr(library_templates, "shape_of", lambda raw, record: cuts.append(raw) or original(raw, record))
    cache = TemplateCache()
    assert in_turn(map(unlike, range(1000)), cache) == [False] * 1000
    assert known_templates(cache) == 0
    assert len(cuts) < 100
    again = ordinary().SerializeToString()
    assert in_turn([again] * 100, cache)[-1]  # a new shape that repeats is still learned


def test_senders_of_one_record_each_share_the_template_of_their_library() -> None:
    """More senders than are remembered, in rotation."""
    cache = TemplateCache()
    one = [ordinary().SerializeToString()]
    taken = [
        in_turn(one, cache, scope(endpoint=f"e-{number}"))[0] for _ in range(2) for number in range(MAX_SENDERS + 1)
    ]
    assert taken == [False] * 2 + [True] * (2 * MAX_SENDERS)
    assert len(cache) == MAX_SENDERS


def test_senders_of_another_library_do_not_share_a_template() -> None:
    cache = TemplateCache()
    one = [ordinary().SerializeToString()]
    for number in range(4):
        in_turn(one, cache, scope(endpoint=f"e-{number}"))
    assert in_turn(one, cache, scope(endpoint="e-9")) == [True]
    assert in_turn(one, cache, scope(endpoint="e-9", agent="other/1.0")) == [False]


@pytest.mark.parametrize(
    "special",
    [(OTHER_UUID.encode(), "é".encode() * 18), (b"t" * 16, bytes(16)), (NOON.to_bytes(8, "little"), bytes(8))],
    ids=["text", "trace", "time"],
)
def test_a_special_value_of_one_sender_does_not_cost_others_the_template(special: tuple[bytes, bytes]) -> None:
    cache = TemplateCache()
    one = ordinary().SerializeToString()
    raw = [one, one.replace(*special), one, one]
    taken = [in_turn([raw[n]], cache, scope(endpoint=f"e-{n}"))[0] for n in range(4)]
    assert taken == [False, False, False, True]


def test_a_deployment_of_many_shapes_does_not_make_others_forget_their_template() -> None:
    cache = TemplateCache()
    one = [ordinary().SerializeToString()]
    for number in range(4):
        in_turn(one, cache, scope(endpoint=f"e-{number}", producer="p"))
    for number in range(2 * MAX_TEMPLATES):
        in_turn([unlike(number)] * 3, cache, scope(producer=f"p-{number}"))
    assert in_turn(one, cache, scope(endpoint="e-9", producer="p")) == [True]


def test_a_deployment_of_many_libraries_does_not_make_others_forget_their_template() -> None:
    cache = TemplateCache()
    one = [ordinary().SerializeToString()]
    for number in range(4):
        in_turn(one, cache, scope(endpoint=f"e-{number}"))
    for number in range(2 * MAX_SENDERS):
        in_turn(one, cache, scope(agent=f"other/{number}"))
    assert in_turn(one, cache, scope(endpoint="e-9")) == [True]


def test_senders_of_one_deployment_that_never_repeat_a_shape_do_not_keep_others_from_learning_theirs() -> None:
    cache = TemplateCache()
    one = [ordinary().SerializeToString()]
    taken = []
    for number in range(60):
        for other in range(20):
            in_turn([unlike(20 * number + other)], cache, scope(producer=f"p-{number}-{other}"))
        taken += in_turn(one, cache, scope(endpoint=f"e-{number}", producer="p"))
    assert taken[-1]


def test_a_shape_of_a_library_without_a_template_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(scope_templates, "learn", lambda *_: tried.append(1))
    cache = TemplateCache()
    one = [ordinary().SerializeToString()]
    for number in range(20):
        assert in_turn(one, cache, scope(endpoint=f"e-{number}")) == [False]
    assert tried == [1]


def test_templates_per_sender_and_learned_per_request_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 32
    monkeypatch.setattr(template_cache, "MAX_TEMPLATES", most)
    cache = TemplateCache()
    pairs = [unlike(number // 2) for number in range(4 * most)]
    in_turn(pairs, cache)
    assert known_templates(cache) == _MAX_LEARNED
    for start in range(0, len(pairs), 8):
        in_turn(pairs[start : start + 8] * 2, cache)
    assert known_templates(cache) == most


def test_a_repeated_shape_without_a_template_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(scope_templates, "learn", lambda *_: tried.append(1))
    assert in_turn([ordinary().SerializeToString()] * 20, TemplateCache()) == [False] * 20
    assert tried == [1]


def test_a_template_that_makes_another_line_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value is declared to vary although other keys depend on it, so the probe gives another line than the record."""
    monkeypatch.setattr(log_record, "varies", lambda _: Varies.TEXT)
    raw = ordinary({semconv.URL_PATH: "/x"}).SerializeToString()
    assert not any(in_turn([raw] * 20, TemplateCache()))


def of_collection(name: str) -> bytes:
    return ordinary({semconv.AZUREML_COLLECTION_NAME: name}).SerializeToString()


@pytest.mark.parametrize("order", [bytes, backwards], ids=["forwards", "backwards"])
def test_a_sender_of_collections_with_names_of_many_sizes_has_a_template_for_each_size(
    order: Callable[[bytes], bytes],
) -> None:
    cache = TemplateCache()
    raw = [order(of_collection("a" * size)) for size in range(1, 101)]
    for _ in range(30):
        for one in raw:
            in_turn([one] * 3, cache)
    assert in_turn(raw, cache) == [True] * 100
    assert known_templates(cache) == 100


def test_the_templates_of_all_senders_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the sender that was not seen for the longest time are forgotten."""
    assert MOST_TEMPLATES == 8192
    monkeypatch.setattr(template_cache, "MOST_TEMPLATES", 200)
    cache = TemplateCache()
    for sender in range(9):
        of = scope(producer=f"p-{sender}")
        templates = cache.of_sender((of.resource, of.agent))
        for number in range(50):
            found = shape_of(unlike(number), otlp.log_record(unlike(number)))
            assert found is not None
            templates.add(make(found, "model_inputs", [0, "time"], 0, is_own=True))
    assert [resource.producer for resource, _ in cache._senders] == ["p-5", "p-6", "p-7", "p-8"]
    assert known_templates(cache) == 200
