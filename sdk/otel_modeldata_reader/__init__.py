"""Reads what was collected: frames with the types that went in, from a folder or a container.

Needs the extra `read`: `pip install 'otel-modeldata[read]'`.
"""

from __future__ import annotations
