"""Figures as one page of HTML, which needs no network, no script and no file beside it."""
