"""SQL over a store: every collection is a table, and every deployment has its joined rows.

```python
store.query("SELECT country, count(*) FROM model_inputs GROUP BY country", since="-7d").to_pandas()
```

Theory of operation. `statement.py` parses the SQL, `table_names.py` finds the collections that it names. `query.py`
reads these, by batches and only the columns that the SQL names, into a DuckDB of their own (`database.py`), which
knows no files and cannot load extensions. `column_types.py` keeps the types: what DuckDB has no type for is stored as
another one, and comes back as it was.
"""

from __future__ import annotations

from .query import Query

__all__ = ["Query"]
