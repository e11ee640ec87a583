"""Reports: what came in, what changed against a baseline, and how good predictions were.

Theory of operation. `making.py` reads each collection of a deployment once, a batch at a time. `profiles/` turns
batches into counts, moments, categories and a sample of bounded size. `measures/` compares two profiles: functions of
arrays. The result are `figures/`, values that are equal to their JSON. `html/` draws figures, and reads nothing.
"""

from __future__ import annotations

from .figures.report import Figures, Finding, Thresholds
from .report import Report

__all__ = ["Figures", "Finding", "Report", "Thresholds"]
