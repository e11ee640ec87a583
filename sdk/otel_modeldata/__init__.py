"""Inference data of models in production, over OpenTelemetry.

```python
from otel_modeldata import Collector

inputs = Collector(name="model_inputs")
context = inputs.collect(frame)
```

The API equals that of `azureml.ai.monitoring`; `BasicCorrelationContext` is in `otel_modeldata.context`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .collector import Collector
    from .lifecycle import flush, shutdown

__all__ = ["Collector", "flush", "shutdown"]

if not TYPE_CHECKING:  # else every name would be one of this module

    def __getattr__(name):
        """Import what is used: commands and readers use single modules, and start without OpenTelemetry."""
        from importlib import import_module  # noqa: PLC0415 (only here)

        modules = {"Collector": ".collector", "flush": ".lifecycle", "shutdown": ".lifecycle"}
        if name in modules:
            return getattr(import_module(modules[name], __name__), name)
        if name in ("collector", "config", "context", "exceptions", "lifecycle", "report", "semconv"):
            return import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})
