"""`spark.read.format("modeldata")` and `spark.readStream.format("modeldata")`.

```python
from otel_modeldata_reader.engines import spark as modeldata

modeldata.register(spark)
frame = spark.read.format("modeldata").option("store", url).option("collection", "shop/blue/model_inputs").load()
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import ReaderError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["register"]


def register(spark: SparkSession) -> None:
    """Make the format `modeldata` known to a session; the workers need this package and the extra `read`, too.

    Raises:
        ReaderError: PySpark is older than 4.
    """
    try:
        from .spark_source import ModeldataSource  # noqa: PLC0415 (imports PySpark)
    except ImportError:
        raise ReaderError("expected PySpark 4 or newer, got none or an older one: pip install 'pyspark>=4'") from None
    spark.dataSource.register(ModeldataSource)
