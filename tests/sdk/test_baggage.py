"""The correlation id in OpenTelemetry's baggage: it is sent and read, and never causes a failure."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, context
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext

from otel_modeldata._baggage import MAX_CHARS, quick_getter
from otel_modeldata.context import (
    BasicCorrelationContext,
    CorrelationContext,
    resolve,
    sent_correlation_id,
    use_correlation_context,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRY = "azureml.correlation.id"
PROPAGATOR = W3CBaggagePropagator()


@pytest.fixture(autouse=True)
def _own_context() -> Iterator[None]:
    token = context.attach(context.Context())
    yield
    context.detach(token)


def sent_header() -> str | None:
    """The header that a propagator adds to a request now."""
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier)
    return carrier.get("baggage")


def id_in_a_service_called_with(header: str) -> str | None:
    token = context.attach(PROPAGATOR.extract({"baggage": header}))
    try:
        return sent_correlation_id()
    finally:
        context.detach(token)


@given(st.text(min_size=1, max_size=40))
def test_the_current_id_arrives_at_the_next_service_unchanged_or_not_at_all(correlation_id: str) -> None:
    with use_correlation_context(BasicCorrelationContext(correlation_id)):
        header = sent_header()
    arrived = id_in_a_service_called_with(header) if header else None
    assert arrived in {correlation_id, correlation_id.strip(), None}
    assert arrived is not None or not (correlation_id.isprintable() and correlation_id.strip())


def test_after_the_block_the_entry_is_removed_and_other_entries_are_unchanged() -> None:
    context.attach(baggage.set_baggage("tenant", "a"))
    with use_correlation_context(BasicCorrelationContext("outer")):
        with use_correlation_context(BasicCorrelationContext("inner")):
            assert dict(baggage.get_all()) == {"tenant": "a", ENTRY: "inner"}
        assert dict(baggage.get_all()) == {"tenant": "a", ENTRY: "outer"}
    assert dict(baggage.get_all()) == {"tenant": "a"}


def test_precedence_is_given_then_current_then_sent_then_new_context() -> None:
    context.attach(baggage.set_baggage(ENTRY, "sent"))
    given_context, current = BasicCorrelationContext("given"), BasicCorrelationContext("current")
    assert (resolve(None).get_id(), resolve(None).get_id()) == ("sent", "sent")
    assert resolve(given_context) is given_context
    with use_correlation_context(current):
        assert resolve(None) is current


@pytest.mark.parametrize(
    "hostile",
    ["", "x" * (MAX_CHARS + 1), "a\nb", "a\x00", "\u2028", "\ud800", 7, None, b"bytes", ["list"]],
    ids=ascii,
)
def test_an_entry_that_is_not_an_id_is_ignored(hostile: object) -> None:
    context.attach(baggage.set_baggage(ENTRY, hostile))
    assert sent_correlation_id() is None
    assert len(resolve(None).get_id()) == 36


@pytest.mark.parametrize("header", [f"{ENTRY}=%0A", f"{ENTRY}=%FF", f"{ENTRY}=", f"{ENTRY}={'x' * 5000}", "=;,;=%"])
def test_a_hostile_header_never_sets_an_unusable_id(header: str, caplog: pytest.LogCaptureFixture) -> None:
    found = id_in_a_service_called_with(header)
    assert found is None or (found.isprintable() and 0 < len(found) <= MAX_CHARS)


class Broken(CorrelationContext):
    def get_id(self) -> str:
        raise RuntimeError


class Nothing(CorrelationContext):
    def get_id(self) -> str:
        return None  # type: ignore[return-value]


@pytest.mark.parametrize(
    "bad",
    [Broken(), Nothing(), CorrelationContext(), BasicCorrelationContext("x" * 300), BasicCorrelationContext("\n")],
)
def test_a_context_whose_id_cannot_be_sent_is_still_the_current_one(bad: CorrelationContext) -> None:
    with use_correlation_context(bad):
        assert resolve(None) is bad
        assert sent_header() is None


def test_otels_baggage_is_not_loaded_by_the_sdk() -> None:
    script = """
import sys
from otel_modeldata.context import BasicCorrelationContext, resolve, sent_correlation_id, use_correlation_context
with use_correlation_context(BasicCorrelationContext("a")):
    assert (resolve(None).get_id(), sent_correlation_id()) == ("a", None)
assert len(resolve(None).get_id()) == 36
print(sorted({"opentelemetry.baggage", "opentelemetry.trace", "opentelemetry.sdk"}.intersection(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_quick_getter_returns_what_otel_returns() -> None:
    token = context.attach(baggage.set_baggage(ENTRY, "sent"))
    try:
        assert quick_getter(context.get_current)() is context.get_current()
    finally:
        context.detach(token)


class _RuntimeContext(ContextVarsRuntimeContext):
    """One that an application has installed."""

    current = context.Context({"own": True})

    def get_current(self) -> context.Context:
        return self.current


def test_a_runtime_context_of_the_application_is_asked_in_the_public_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_RUNTIME_CONTEXT", _RuntimeContext())
    assert quick_getter(context.get_current)() is _RuntimeContext.current
