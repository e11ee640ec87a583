"""Inference data of models in production, over OpenTelemetry.

```python
from otel_modeldata import Collector

inputs = Collector(name="model_inputs")
context = inputs.collect(frame)
```

The API equals that of `azureml.ai.monitoring`; `BasicCorrelationContext` is in `otel_modeldata.context`.
"""

from __future__ import annotations

from .collector import Collector
from .lifecycle import flush, shutdown

__all__ = ["Collector", "flush", "shutdown"]
