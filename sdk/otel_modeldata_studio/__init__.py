"""Studio: a web page for the data of a store.

`studio.py` has what its parts share. A question meets the folders in this order: `web` (HTTP), `screens` (what a screen
shows), `queries` (the SQL for it), `tables` (rows in DuckDB) and `catalog` (what listings say without a row).

Needs the extra `studio`: `pip install 'otel-modeldata[studio]'`.
"""
