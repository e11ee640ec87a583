"""Filters, histograms, quantiles and pages as SQL with parameters; nothing here runs them."""
