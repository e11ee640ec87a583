from __future__ import annotations

import datetime as dt
import os
import pickle
import re
import threading
import time
import uuid
from contextvars import copy_context
from typing import Any

import numpy as np
import pytest

from otel_modeldata.context import (
    BasicCorrelationContext,
    CorrelationContext,
    WrapperContext,
    current_correlation_context,
    event_time_ns,
    headers_of,
    prepare_ids,
    resolve,
    use_correlation_context,
)
from otel_modeldata.exceptions import ContextError


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:Using fork:DeprecationWarning")  # eventlet, if a test has imported it
def test_a_forked_child_and_its_parent_never_make_the_same_id() -> None:
    BasicCorrelationContext()  # some ids are now made in advance
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, "\n".join(BasicCorrelationContext().get_id() for _ in range(70)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        made = pipe.read().splitlines()
    os.waitpid(child, 0)
    ours = [BasicCorrelationContext().get_id() for _ in range(70)]
    assert len({*made, *ours}) == 140


def test_ids_made_in_advance_are_uuids_and_used_once() -> None:
    prepare_ids()
    made = [BasicCorrelationContext().get_id() for _ in range(300)]  # more than are kept
    assert len(set(made)) == 300
    assert {uuid.UUID(one).version for one in made} == {4}


def test_a_context_without_an_id_gets_a_uuid_and_the_present_time() -> None:
    before = int(time.time())
    context = BasicCorrelationContext()
    assert str(uuid.UUID(context.get_id())) == context.get_id()
    assert before <= context.get_timestamp() <= time.time()
    assert context.get_headers() == {}


@pytest.mark.parametrize(("given", "text"), [("test", "test"), (0, "0"), (123, "123"), ("注文-1", "注文-1")])
def test_any_value_is_converted_to_text_as_the_id(given: object, text: str) -> None:
    context = BasicCorrelationContext(id=given)
    assert (context.get_id(), str(context), repr(context)) == (text, text, text)


@pytest.mark.parametrize("missing", [None, ""])
def test_a_missing_id_becomes_a_new_one(missing: str | None) -> None:
    assert re.fullmatch(r"[0-9a-f-]{36}", BasicCorrelationContext(id=missing).get_id())


def test_headers_and_the_time_of_a_context_are_made_when_they_are_read_and_kept() -> None:
    before = int(time.time())
    context = BasicCorrelationContext()
    context.headers["tenant"] = "a"
    copied = pickle.loads(pickle.dumps(context))
    for one in (context, copied):
        assert before <= one.timestamp == one.get_timestamp() <= int(time.time())
        assert one.headers == one.get_headers() == {"tenant": "a"}
    assert BasicCorrelationContext().headers == {}


def test_only_a_given_timestamp_becomes_the_event_time() -> None:
    assert event_time_ns(BasicCorrelationContext(timestamp=1_700_000_000)) == 1_700_000_000_000_000_000
    assert event_time_ns(BasicCorrelationContext(timestamp=0)) == 0
    assert event_time_ns(BasicCorrelationContext()) is None
    assert event_time_ns(CorrelationContext()) is None


@pytest.mark.parametrize(
    "given",
    ["now", dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc), 1_700_000_000_000, -1, 1e30, float("nan"), float("inf")],
)
def test_an_invalid_timestamp_is_refused_before_it_is_multiplied(given: Any) -> None:
    """Text times a billion would take three gigabytes, and milliseconds would give a year in the far future."""
    with pytest.raises(ContextError) as raised:
        event_time_ns(BasicCorrelationContext(timestamp=given))
    assert str(raised.value) == (
        f"expected a timestamp in seconds since 1970, got {given!r}: "
        "give int(moment.timestamp()) of a datetime, milliseconds divided by 1000"
    )


@pytest.mark.parametrize("given", [np.int64(1_700_000_000), 1_700_000_000.5, 2**33])
def test_any_number_of_seconds_is_an_event_time(given: Any) -> None:
    assert event_time_ns(BasicCorrelationContext(timestamp=given)) == int(given * 1_000_000_000)


def test_precedence_is_given_then_current_then_new_context() -> None:
    current, given = BasicCorrelationContext(id="current"), BasicCorrelationContext(id="given")
    assert resolve(None).get_id() not in ("", "current")
    with use_correlation_context(current) as inside:
        assert inside is current
        assert resolve(None) is current
        assert resolve(given) is given
    assert current_correlation_context() is None


def test_a_thread_has_the_current_context_only_when_it_copies_it() -> None:
    seen: list[object] = []

    def look() -> None:
        seen.append(current_correlation_context())

    with use_correlation_context(BasicCorrelationContext(id="outer")) as outer:
        for target in (look, copy_context().run):
            thread = threading.Thread(target=target, args=() if target is look else (look,))
            thread.start()
            thread.join()
    assert seen == [None, outer]


def test_a_context_that_debug_mode_returned_is_unwrapped() -> None:
    context = BasicCorrelationContext(id="a", timestamp=5, headers={"tenant": "t"})
    wrapper = WrapperContext(context, success=False, message="dropped_sampling")
    assert resolve(wrapper) is context
    assert (wrapper.get_id(), wrapper.get_timestamp(), wrapper.get_headers()) == ("a", 5, {"tenant": "t"})
    assert (wrapper.is_success(), wrapper.get_message()) == (False, "dropped_sampling")


def test_a_users_class_needs_only_get_id() -> None:
    class FromElsewhere:
        def get_id(self) -> str:
            return "elsewhere"

    context = resolve(FromElsewhere())  # type: ignore[arg-type]
    assert context.get_id() == "elsewhere"
    assert headers_of(context) == {}


def test_anything_but_a_context_is_refused_in_one_sentence() -> None:
    with pytest.raises(ContextError) as raised:
        resolve("test")  # type: ignore[arg-type]
    assert str(raised.value) == (
        "expected a correlation context, got str: pass what collect returned, or BasicCorrelationContext(id=...)"
    )
