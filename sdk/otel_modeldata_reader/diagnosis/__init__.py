"""Why there is no data: what a store, a listing and the settings of a sender say about where records stop."""

from __future__ import annotations

from .finding import Diagnosis, Finding, Outcome, Step

__all__ = ["Diagnosis", "Finding", "Outcome", "Step"]
