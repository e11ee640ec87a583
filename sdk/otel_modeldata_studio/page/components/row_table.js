// The table of rows: only those that are seen are drawn; scrolling asks for the pages before and after.
import {html, useEffect, useLayoutEffect, useRef} from "../html.js";
import {cell, milliseconds, ownName, time} from "../format.js";
import {useKeys} from "../keyboard.js";
import {Failure, Loading} from "./message.js";
import {visible} from "./value.js";
import {useVisible} from "./visible.js";

export const ROW_HEIGHT = 28;
const NEAR_ROWS = 30;
const FIXED = [["Time (UTC)", 168], ["Latency", 80], ["Status", 66], ["Label", 88]];
const COLUMN_WIDTH = 112;

const isMissing = (value) => value === null || value === undefined || value === "";
const MEASURED = new Set(["number", "integer"]);

/** `pages` is what `useRowPages` returns; `opened` the id of the row in the drawer; `open` takes an id or null. */
export function RowTable({pages, opened, open, scroller, cursor, setCursor, target, kinds}) {
  const label = [...kinds.keys()].find((name) => name.startsWith("labels."));
  const sideOf = (name) => MEASURED.has(kinds.get(name)) ? "" : "text";
  const {rows, columns, shift} = pages;
  const {first, last, before, after} = useVisible(scroller, rows.length, ROW_HEIGHT, ROW_HEIGHT);
  const isNearEnd = rows.length > 0 && last >= rows.length - NEAR_ROWS;
  const isNearBeginning = rows.length > 0 && first <= NEAR_ROWS;
  useEffect(() => {
    if (isNearEnd) pages.next();
  }, [isNearEnd, rows.length, rows[rows.length - 1]?.id]);
  useEffect(() => {
    if (isNearBeginning) pages.previous();
  }, [isNearBeginning, rows[0]?.id]);
  // Rows that were added or taken away above must not move those that are seen.
  useLayoutEffect(() => {
    if (shift.at > 0 && scroller.current) scroller.current.scrollTop += shift.rows * ROW_HEIGHT;
  }, [shift.at]);
  const at = rows.findIndex(({id}) => id === cursor);
  const step = (by) => () => {
    if (rows.length === 0) return false;
    const next = at < 0 ? first + (by > 0 ? Math.min(4, first) : 0) : Math.max(0, Math.min(rows.length - 1, at + by));
    setCursor(rows[next].id);
    if (opened) open(rows[next].id);
    const box = scroller.current;
    const top = next * ROW_HEIGHT;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + 2 * ROW_HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top + 2 * ROW_HEIGHT - box.clientHeight;
    return true;
  };
  useKeys({j: step(1), k: step(-1), Enter: () => at >= 0 ? open(rows[at].id) : false});
  if (pages.isLoading) return html`<${Loading} lines=${12} />`;
  const width = FIXED.reduce((sum, [, one]) => sum + one, 0) + columns.length * COLUMN_WIDTH;
  return html`
    ${pages.error && html`<${Failure} error=${pages.error} again=${pages.again} />`}
    <table class=${`rows${pages.isOld ? " is-old" : ""}`} style=${{minWidth: `${width}px`}} aria-rowcount=${pages.hasNext ? -1 : rows.length + 1}>
      <colgroup>${FIXED.map(([, one]) => html`<col style=${{width: `${one}px`}} />`)}${columns.map((name) => html`<col key=${name} />`)}</colgroup>
      <thead><tr>
        ${FIXED.map(([title]) => html`<th scope="col" key=${title} class=${title === "Label" ? sideOf(label) : null}>${title}</th>`)}
        ${columns.map((name) => html`<th scope="col" key=${name} title=${name} class=${sideOf(name)}><bdi>${visible(ownName(name))}</bdi></th>`)}
      </tr></thead>
      <tbody>
        ${before > 0 && html`<tr class="space" aria-hidden="true"><td colspan=${columns.length + FIXED.length} style=${{height: `${before}px`}}></td></tr>`}
        ${rows.slice(first, last).map((row, n) => html`
          <tr key=${row.id} aria-rowindex=${first + n + 2} aria-current=${row.id === cursor ? "true" : null}
            class=${`${row.id === opened ? "is-open" : ""}${pages.fresh.has(row.id) ? " is-fresh" : ""}`}
            onClick=${(event) => { if (!event.target.closest("a") && !window.getSelection().toString()) { setCursor(row.id); open(row.id === opened ? null : row.id); } }}>
            <td><a href=${target(row.id)} onClick=${() => setCursor(row.id)}>${time(row.time)}</a></td>
            <td>${milliseconds(row.latency_ms)}</td>
            <td class=${row.status >= 400 ? "alarm-text" : ""}>${row.status ?? "–"}</td>
            <td class=${sideOf(label)}><bdi>${row.label === null || row.label === undefined ? html`<span class="soft">–</span>` : visible(cell(row.label))}</bdi></td>
            ${row.values.map((value, column) => html`<td key=${column} class=${`${sideOf(columns[column])}${isMissing(value) ? " soft missing" : ""}`}><bdi>${visible(cell(value, kinds.get(columns[column])))}</bdi></td>`)}
          </tr>`)}
        ${after > 0 && html`<tr class="space" aria-hidden="true"><td colspan=${columns.length + FIXED.length} style=${{height: `${after}px`}}></td></tr>`}
      </tbody>
    </table>
    ${rows.length > 0 && pages.hasNext && last >= rows.length && html`<p class="soft more" role="status">more rows come…</p>`}`;
}
