"""The style sheet of a page: light, dark and print, from a phone to a wide screen."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from .theme import CHART, DARK, FONT, LIGHT, MONO, PAPER

__all__ = ["POLICY", "STYLE"]

STYLE: Final = f"""
:root {{
  color-scheme: light dark;
  {LIGHT}
}}
@media (prefers-color-scheme: dark) {{
  :root {{
    {DARK}
  }}
}}
* {{ box-sizing: border-box; }}
html {{ -webkit-text-size-adjust: 100%; }}
body {{
  margin: 0 auto; max-width: 76rem; padding: 1.5rem 1.25rem 4rem; background: var(--page); color: var(--text);
  font: 15px/1.5 {FONT};
  overflow-wrap: anywhere;
}}
h1 {{ font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; }}
h2 {{ font-size: 1.15rem; margin: 2.4rem 0 .8rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }}
h3 {{ font-size: 1rem; margin: 1.3rem 0 .2rem; }}
.card h3 {{ margin: 0; }}
p {{ margin: .3rem 0; }}
code {{ font: .92em {MONO}; }}
.share {{ display: block; width: 100%; max-width: 21.5rem; margin: .5rem 0 .8rem; }}
.interval {{ display: block; margin-left: auto; }}
.under {{ display: block; font-size: .8rem; }}
.soft, .foot, .under {{ color: var(--soft); }}
.foot {{ font-size: .87rem; }}
.meta {{ display: flex; flex-wrap: wrap; gap: .2rem 1.6rem; color: var(--soft); margin: 0; }}
.meta dt {{ display: inline; }}
.meta dd {{ display: inline; margin: 0 0 0 .35rem; color: var(--text); }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1.2rem 0 0; }}
.tile {{ background: var(--panel); border-radius: .5rem; padding: .7rem .9rem; }}
.tile b {{ display: block; font-size: 1.35rem; line-height: 1.25; font-weight: 600; }}
.tile.alarm b {{ color: var(--alarm); }}
ul.findings {{ list-style: none; margin: 0; padding: 0; display: grid; gap: .45rem; }}
ul.findings li {{
  background: var(--alarm-page); border-left: 4px solid var(--alarm); border-radius: .3rem; padding: .45rem .8rem;
}}
.none {{ background: var(--panel); border-left: 4px solid var(--good); border-radius: .3rem; padding: .45rem .8rem; }}
.limit {{ color: var(--soft); font-size: .87rem; white-space: nowrap; }}
.cards {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21.5rem), 1fr)); gap: .9rem; }}
.card {{
  border: 1px solid var(--line); border-radius: .5rem; padding: .8rem .9rem; break-inside: avoid; min-width: 0;
}}
.card.alarm {{ border-color: var(--alarm); }}
.card header {{ display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: 0 .8rem; }}
.card header span {{ color: var(--soft); font-size: .85rem; }}
.chart {{ margin: .6rem 0 0; }}
.chart svg {{ display: block; width: 100%; overflow: visible; }}
.ends {{ display: flex; justify-content: space-between; gap: 1rem; color: var(--soft); font-size: .8rem; }}
.ends span:nth-child(2) {{ text-align: center; }}
.ends span:last-child {{ text-align: right; }}
{CHART}.figures {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(6.4rem, 1fr)); gap: .25rem .8rem;
  margin: .6rem 0 0; font-size: .87rem; }}
.figures div {{ min-width: 0; }}
.figures dt {{ color: var(--soft); }}
.figures dd {{ margin: 0; font-variant-numeric: tabular-nums; }}
.alarm-text {{ color: var(--alarm); font-weight: 600; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .9rem; }}
th, td {{ text-align: right; padding: .35rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }}
th {{ color: var(--soft); font-weight: 500; }}
th:first-child, td:first-child {{ text-align: left; white-space: normal; min-width: 7rem; padding-left: 0; }}
.values td:first-child {{ width: 34%; }}
.values td, .values th {{ padding: .15rem .4rem .15rem 0; border: 0; font-size: .85rem; }}
.values td.bar {{ width: 36%; min-width: 4rem; }}
.values svg {{ display: block; width: 100%; }}
details {{ margin: .9rem 0 0; }}
summary {{ cursor: pointer; color: var(--soft); }}
@media (max-width: 34rem) {{
  body {{ padding: 1rem .9rem 3rem; }}
  .tiles {{ grid-template-columns: repeat(2, 1fr); }}
}}
@page {{ margin: 14mm; }}
@media print {{
  :root {{
    color-scheme: light; {PAPER}
  }}
  html {{ font-size: 11px; }}
  body {{ max-width: none; padding: 0; font-size: 1rem; }}
  h2, h3, summary, thead {{ break-after: avoid; }}
  .card, .tile, .chart, li, tr {{ break-inside: avoid; }}
  .cards {{ grid-template-columns: repeat(2, 1fr); }}
  .tiles {{ grid-template-columns: repeat(6, 1fr); }}
  .scroll {{ overflow: visible; }}
  details::details-content {{ content-visibility: visible; block-size: auto; }}
  th, td {{ padding: .3rem .4rem; }}
  details table {{ font-size: .8rem; }}
  details th, details td {{ padding: .2rem; }}
  details th {{ white-space: normal; overflow-wrap: anywhere; }}
  details th:first-child, details td:first-child {{ min-width: 5rem; }}
  * {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
}}
"""
_DIGEST: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY: Final = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
"""The content security policy of a page: nothing is loaded and nothing runs, whatever a text in it is."""
