"""Follows a collection: rows that are written from now on, as they come.

A store has no notifications, so its listing is asked again and again: a blob that has grown has new lines. Whole lines
are read through a `Reading`, so rows have the types that they have in every other reading.
"""

from __future__ import annotations
