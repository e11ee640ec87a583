"""The public API of the SDK equals its snapshot, so that no change goes unnoticed.

After an intended change: `python tests/project/test_public_api.py --write`, and an entry in the changelog.
"""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

SDK = Path(__file__).parents[2] / "sdk" / "otel_modeldata"
SNAPSHOT = Path(__file__).parents[1] / "data" / "public-api.txt"

USED: dict[str, tuple[str, ...]] = {
    "": ("Collector", "flush", "shutdown"),
    ".collector": ("Collector",),
    ".context": (
        "BasicCorrelationContext",
        "CorrelationContext",
        "WrapperContext",
        "current_correlation_context",
        "sent_correlation_id",
        "use_correlation_context",
    ),
    ".config": ("Collection", "CollectorConfig", "DataAsset", "load_config", "read_deployment"),
    ".environment": ("Endpoint", "Environment", "read_environment"),
    ".exceptions": (
        "CollectError",
        "CollectionNameError",
        "ConfigError",
        "ContextError",
        "DeliveryError",
        "ModelDataError",
        "NotEnabledError",
        "QueueFullError",
        "RecordTooLargeError",
        "ShutDownError",
        "SpoolError",
        "UnsupportedDataError",
        "UnsupportedValueError",
    ),
    ".lifecycle": ("flush", "shutdown"),
    ".mlflow": ("MlflowInstrumentor", "autolog", "collect_predictions"),
    ".payload": ("ASGIMiddleware", "PayloadInstrumentor", "WSGIMiddleware"),
    ".report": ("CollectionReport", "DeliveryReport"),
    ".semconv": ("AZUREML_COLLECTION_NAME", "is_name", "is_sampled"),
    ".testing": ("Captured", "CollectedEvent", "capture"),
    ".transport": ("Answer", "Delivered", "Refused", "Retry", "Transport"),
}
"""Names that users import since 0.1.0. Names may be added here, never removed."""


def _modules() -> list[str]:
    """Every public module of the package, by its name after `otel_modeldata`."""
    names = (path.relative_to(SDK).with_suffix("").parts for path in SDK.rglob("*.py"))
    return ["", *sorted("." + ".".join(parts) for parts in names if not any(part.startswith("_") for part in parts))]


def _public_names(module: ModuleType) -> list[str]:
    """`__all__`; without it, constants, and the classes and functions that the module defines."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and len(name) > 1
        and (_is_constant(name) or getattr(value, "__module__", None) == module.__name__)
    )


def _is_constant(name: str) -> bool:
    return name.isupper() and name != "TYPE_CHECKING"


def _described() -> Iterator[str]:
    for name in _modules():
        module = import_module(f"otel_modeldata{name}")
        yield f"[{module.__name__}]"
        for public in _public_names(module):
            yield from _described_value(public, getattr(module, public))
        yield ""


def _described_value(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        yield f"class {name}({bases}){_signature(value)}"
        for member, attribute in sorted(vars(value).items()):
            if not member.startswith("_") or member == "__call__":
                yield from _described_member(member, attribute)
    elif callable(value):
        yield f"def {name}{_signature(value)}"
    elif isinstance(value, (str, int, float)):
        yield f"{name} = {value!r}"
    else:
        yield f"{name}: {type(value).__name__}"


def _described_member(name: str, attribute: object) -> Iterator[str]:
    if isinstance(attribute, property):
        yield f"    {name}: property"
    elif isinstance(attribute, (classmethod, staticmethod)):
        yield f"    {type(attribute).__name__} {name}{_signature(attribute.__func__)}"
    elif inspect.isfunction(attribute):
        yield f"    def {name}{_signature(attribute)}"
    else:
        yield f"    {name}"


def _signature(value: Any) -> str:
    """A signature as text that is equal in every version of Python: only with annotations that are text in the
    source."""
    if getattr(value, "_is_protocol", False):
        return ""
    if inspect.isclass(value) and issubclass(value, Exception) and "__init__" not in vars(value):
        return "(...)"  # a built-in one, which has a signature in some versions only
    signature = inspect.signature(value)
    parameters = [_without_objects(parameter) for parameter in signature.parameters.values()]
    returned = signature.return_annotation
    returns = f" -> {returned}" if isinstance(returned, str) else ""
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)) + returns


def _without_objects(parameter: inspect.Parameter) -> inspect.Parameter:
    annotation = getattr(parameter.annotation, "__forward_arg__", parameter.annotation)
    if not isinstance(annotation, str):
        annotation = inspect.Parameter.empty
    default = _Verbatim("...") if callable(parameter.default) else parameter.default
    if parameter.default is not inspect.Parameter.empty:
        parameter = parameter.replace(default=default)
    return parameter.replace(annotation=_Verbatim(annotation) if isinstance(annotation, str) else annotation)


class _Verbatim(str):
    """Printed without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _text() -> str:
    return "\n".join(_described())


def test_the_public_api_equals_the_snapshot() -> None:
    assert _text().splitlines() == SNAPSHOT.read_text("utf-8").splitlines(), __doc__


@pytest.mark.parametrize("module", USED)
def test_names_that_users_import_stay(module: str) -> None:
    loaded = import_module(f"otel_modeldata{module}")
    assert [name for name in USED[module] if not hasattr(loaded, name)] == []


def test_every_public_name_has_a_docstring() -> None:
    for module_name in _modules():
        module = import_module(f"otel_modeldata{module_name}")
        assert module.__doc__
        documented = (getattr(module, name) for name in _public_names(module))
        for value in documented:
            if inspect.isclass(value) or inspect.isfunction(value):
                assert value.__doc__, value


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("expected --write")
    SNAPSHOT.write_text(_text(), "utf-8")
