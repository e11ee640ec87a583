"""Writes labels: each is a row of the collection `ground_truth`, collected and delivered as every other frame.

A label has the column `row_id`, which names its row, the label's own columns (`label`, if it is one value), and
`label_time` if it holds since another moment than that of its event. `Collector(name="ground_truth")` of a service
writes the same lines from a frame with these columns.
"""

from __future__ import annotations

from .label_frame import frames_of_csv, label_frames
from .label_writer import GROUND_TRUTH, LabelWriter

__all__ = ["GROUND_TRUTH", "LabelWriter", "frames_of_csv", "label_frames"]
