"""Colors and shapes that a report and Studio share: light, dark, and on paper."""

from __future__ import annotations

from typing import Final

__all__ = ["CHART", "DARK", "FONT", "LIGHT", "MONO", "PAPER", "theme_of_page"]

LIGHT: Final = (
    "--page: #ffffff; --panel: #f6f7f9; --line: #dde1e7; --text: #1b2330; --soft: #5d6878;\n"
    "  --window: #1b66dc; --baseline: #8a94a3; --alarm: #b42318; --alarm-page: #fdf1ef; --good: #1a7f4b;"
)
DARK: Final = (
    "--page: #0f141b; --panel: #18202a; --line: #2c3644; --text: #e4e9f0; --soft: #9aa6b6;\n"
    "  --window: #58a6ff; --baseline: #8b96a5; --alarm: #ff8b7e; --alarm-page: #2a1715; --good: #56c98a;"
)
PAPER: Final = (
    "--page: #fff; --panel: #f3f4f6; --line: #ccc; --text: #000; --soft: #444;\n"
    "  --window: #1b66dc; --baseline: #777; --alarm: #a11; --alarm-page: #fff; --good: #161;"
)
FONT: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
MONO: Final = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
CHART: Final = """\
.window { fill: var(--window); }
.faint { fill: var(--window); opacity: .55; }
.outline { fill: var(--baseline); fill-opacity: .25; stroke: var(--baseline); stroke-width: 1.5;
  vector-effect: non-scaling-stroke; }
.baseline { fill: var(--baseline); }
.track { fill: var(--line); }
.rule { stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke; }
.range { stroke: var(--window); stroke-width: 2; }
.key { display: inline-flex; gap: 1rem; color: var(--soft); font-size: .87rem; }
.key i { display: inline-block; width: .75rem; height: .75rem; border-radius: 2px; margin-right: .3rem;
  vertical-align: -1px; background: var(--window); }
.key i.of-baseline { background: var(--baseline); }
"""
"""The window is filled, the baseline is an outline."""


def theme_of_page() -> str:
    """The part of Studio's style sheet that it shares with a report.

    The system says whether it is light or dark, unless `data-theme` of the root element does.
    """
    return f"""\
:root {{ color-scheme: light; {LIGHT}
  --font: {FONT}; --mono: {MONO}; }}
@media (prefers-color-scheme: dark) {{ :root {{ color-scheme: dark; {DARK} }} }}
:root[data-theme="light"] {{ color-scheme: light; {LIGHT} }}
:root[data-theme="dark"] {{ color-scheme: dark; {DARK} }}
@media print {{ :root, :root[data-theme] {{ color-scheme: light; {PAPER} }} }}
{CHART}"""
