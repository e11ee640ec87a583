"""Measures of drift and of performance: functions of NumPy arrays, without input or output."""
