"""Whether frames of a collection are collected: its name, and what the configuration says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import semconv
from ..exceptions import CollectionNameError, NotEnabledError
from ..validation.problems import SAME_NAME, Problem, closest

if TYPE_CHECKING:
    from ..config import CollectorConfig

_STANDARD: Final = frozenset({"model_inputs", "model_outputs", semconv.TRACE_COLLECTION}) | semconv.PAYLOAD_COLLECTIONS
"""None of them is another one misspelled, however much alike they are."""


def refusal_of(name: object, config: CollectorConfig) -> CollectionNameError | NotEnabledError | None:
    """Why frames of this collection are refused; None when they are accepted.

    Where azureml-ai-monitoring has a text for it, the text here is the same.
    """
    if not name:
        return CollectionNameError("collection name is not provided")
    if not isinstance(name, str) or not semconv.is_name(name):
        return CollectionNameError(f"collection name: expected {semconv.NAME_RULE}, got {str(name)[:140]!r}: rename it")
    if not config.collects_frames():
        return NotEnabledError("custom logging is not enabled, drop the data")
    entry = config.collection(name)
    if entry is None or not entry.enabled:
        return NotEnabledError(f"collection {name} is not enabled, drop the data")
    return None


def is_switched_off(name: object, config: CollectorConfig) -> bool:
    """Whether an operator switched this collection off.

    This is intended, so nothing is raised: no code has to change, and scoring goes on; `on_error` is called. A name
    that the configuration does not list is an error and raises, as in Azure's SDK.
    """
    if not isinstance(name, str):
        return False
    entry = config.collection(name)
    return not config.enabled or (entry is not None and not entry.enabled)


def misspelled(name: object, config: CollectorConfig, origin: str) -> tuple[Problem, ...]:
    """That the configuration does not list this collection but one that is nearly named so; empty otherwise.

    `NotEnabledError` has Azure's text, which does not say it.

    Args:
        name: that of a Collector.
        config: the configuration.
        origin: what it was read from, see `config_origin`.
    """
    if not isinstance(name, str) or config.collections is None or config.collection(name) is not None:
        return ()
    others = config.collections.keys() - (_STANDARD if name in _STANDARD else ())
    near = closest(name, sorted(others), cutoff=SAME_NAME)
    message = f"expected {name!r} among the collections, got {near!r}: correct one of them"
    return () if near is None else (Problem(origin, message),)
