"""Erasure: takes rows out of a store, so that no byte of them remains, and leaves proof of it."""

from __future__ import annotations

from .receipt import Receipt

__all__ = ["Receipt"]
