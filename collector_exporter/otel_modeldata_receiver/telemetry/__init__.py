"""The receiver's metrics: which there are (`receiver_metrics.py`), and where they go (`export.py`, `prometheus.py`)."""

from __future__ import annotations

from .export import METRICS_EXPORTER, MetricExport, start_metrics
from .receiver_metrics import Gauges, Instruments, ReceivedCounters, instruments, observe, start_at_zero
from .tenants import TenantRecords

__all__ = [
    "METRICS_EXPORTER",
    "Gauges",
    "Instruments",
    "MetricExport",
    "ReceivedCounters",
    "TenantRecords",
    "instruments",
    "observe",
    "start_at_zero",
    "start_metrics",
]
