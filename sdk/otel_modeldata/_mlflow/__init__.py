"""Inputs and outputs of MLflow models as DataFrames."""
