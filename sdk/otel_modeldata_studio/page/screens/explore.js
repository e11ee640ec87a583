// Rows over time, a histogram of each column, the rows themselves, and one row beside them. All of it is in the URL.
import {html, useCallback, useEffect, useMemo, useRef, useState} from "../html.js";
import {useAnswer, useGrowth} from "../api.js";
import {Volume} from "../charts/volume.js";
import {ChooseDeployment, deploymentIn} from "../components/choose_deployment.js";
import {ColumnPicker} from "../components/column_picker.js";
import {CopyDialog} from "../components/copy_dialog.js";
import {FacetRail} from "../components/facet_rail.js";
import {FilterChips} from "../components/filter_chips.js";
import {FilterForm} from "../components/filter_form.js";
import {Empty, Failure, Loading} from "../components/message.js";
import {RowDrawer} from "../components/row_drawer.js";
import {useRowPages} from "../components/row_pages.js";
import {RowTable} from "../components/row_table.js";
import {WindowPicker} from "../components/window_picker.js";
import {filtersOf, textOf} from "../filters.js";
import {iso, leftToRead, quoted, rowCount} from "../format.js";
import {useKeys} from "../keyboard.js";
import {go, here, href, listIn} from "../state.js";
import {shownTheme} from "../theme.js";
import {afterBaseline, windowOf} from "../time_window.js";

const SLOW_MILLISECONDS = 5000;
const BUCKETS = 120;

/** Two counts that grow with the store: rows at once, charts every few seconds at most, and once more after the last rows. */
function useVersions(isLive, deployment, isPaused) {
  const [versions, setVersions] = useState({rows: 0, charts: 0, isWaiting: false});
  const paused = useRef(isPaused);
  const charts = useRef({at: -Infinity, timer: null});
  useEffect(() => () => clearTimeout(charts.current.timer), []);
  const draw = () => {
    charts.current = {at: performance.now(), timer: null};
    setVersions((before) => ({...before, charts: before.charts + 1}));
  };
  const isConnected = useGrowth(isLive, ({collections}) => {
    if (!collections.some((name) => name.startsWith(`${deployment}/`))) return;
    setVersions((before) => ({...before, rows: paused.current() ? before.rows : before.rows + 1, isWaiting: paused.current()}));
    const wait = charts.current.at + SLOW_MILLISECONDS - performance.now();
    if (wait <= 0) draw();
    else charts.current.timer ??= setTimeout(draw, wait);
  });
  const resume = useCallback(() => setVersions((before) => ({...before, rows: before.rows + 1, isWaiting: false})), []);
  return {...versions, isConnected, resume};
}

function Explored({deployment, location, about, columns}) {
  const {query} = location;
  const isLive = query.live === "1";
  const window_ = windowOf(query, deployment, about);
  const filters = filtersOf(query);
  const [dialog, setDialog] = useState(null);
  const [isRailOpen, setRailOpen] = useState(false);
  const [cursor, setCursor] = useState(query.row ?? null);
  const scroller = useRef(null);
  const search = useRef(null);
  const live = useVersions(isLive, deployment, () => (scroller.current?.scrollTop ?? 0) > 0);
  const chosen = useMemo(() => listIn(query.columns).filter((name) => typeof name === "string"), [query.columns]);
  const asked = {deployment, ...window_, f: textOf(filters)};
  const volume = useAnswer("volume", {...asked, buckets: BUCKETS}, {version: live.charts});
  const pages = useRowPages({...asked, columns: chosen}, live.rows);
  const kinds = useMemo(() => new Map(columns.columns.map(({name, kind}) => [name, kind])), [columns]);
  const change = useCallback((next) => go({f: textOf(next)}), []);
  const open = useCallback((row) => go({row}, {replace: Boolean(here().query.row)}), []);
  const target = (row) => href("explore", location.parts, {...query, row});
  const close = () => setDialog(null);
  useKeys({
    Escape: () => {
      search.current?.blur();
      if (query.row) open(null);
      else setRailOpen(false);
    },
    "/": () => {
      search.current?.focus(); // at once: the next key is a letter of the name
      setRailOpen(true);
      requestAnimationFrame(() => search.current?.focus()); // on a phone the rail is not there before
    },
    l: () => go({live: isLive ? null : "1"}),
    c: () => setDialog("copy"),
  }, dialog === null);
  const toTop = () => { scroller.current.scrollTop = 0; live.resume(); };
  const isEmpty = pages.rows.length === 0 && !pages.isPending && !pages.isLoading && !pages.isOld && !pages.error;
  return html`
    <div class="toolbar">
      <${WindowPicker} query=${query} window=${window_} />
      <span class="end"></span>
      <button type="button" class="only-phone" aria-expanded=${isRailOpen} onClick=${() => setRailOpen(!isRailOpen)}>Columns (${columns.columns.length})</button>
      <button type="button" aria-pressed=${isLive} onClick=${() => go({live: isLive ? null : "1"})} title="Show new rows as they come (l)"><span class=${`dot${live.isConnected ? " is-on" : ""}`}></span>Live</button>
      <button type="button" onClick=${() => setDialog("columns")}>Table columns</button>
      <button type="button" onClick=${() => setDialog("copy")} title="Copy as Python, SQL or command (c)">Copy as…</button>
    </div>
    <div class="over-time">
      ${volume.error ? html`<${Failure} error=${volume.error} again=${volume.again} />`
        : html`<${Volume} volume=${volume.answer} window=${window_} theme=${query.theme ?? shownTheme()} isOld=${volume.isOld} choose=${(from, to) => go({since: iso(from), until: iso(Math.ceil(to / 1000) * 1000)})} />`}
      <p class="total" role="status">${volume.answer ? html`<span title=${volume.answer.is_estimated ? "Outputs, by their own times: of so many rows they are counted without a join" : null}>${volume.answer.is_estimated ? "≈ " : ""}${rowCount(volume.answer.total)}</span>` : "…"}${volume.answer?.pending > 0 ? html`<span class="soft"> · ${leftToRead(volume.answer.pending)}</span>` : ""}${volume.answer?.errors?.some((one) => one > 0) ? html`<span class="soft"> · errors in red</span>` : ""}</p>
      ${volume.answer?.note && html`<p class="note">${volume.answer.note}</p>`}
    </div>
    <${FilterChips} filters=${filters} change=${change} />
    <div class=${`explore${query.row ? " has-row" : ""}`}>
      <div class=${`rail${isRailOpen ? " is-open" : ""}`}>
        <button type="button" class="only-phone" onClick=${() => setRailOpen(false)}>Back to the rows</button>
        <${FacetRail} columns=${columns.columns} parameters=${{...asked, baseline: query.baseline}} filters=${filters} change=${change} edit=${(column) => setDialog(column)}
          endpoint=${location.parts.slice(0, 2)} search=${search} version=${live.charts} after=${afterBaseline(window_, query.baseline ?? about.baseline)} />
      </div>
      <div class="table">
        ${isLive && live.isWaiting && html`<button type="button" class="new-rows" onClick=${toTop}>New rows: go to the top</button>`}
        <div class="table-box" ref=${scroller} tabindex="0" role="region" aria-label="Rows">
          <${RowTable} pages=${pages} opened=${query.row ?? null} open=${open} scroller=${scroller} cursor=${cursor} setCursor=${setCursor} target=${target} kinds=${kinds} />
          ${isEmpty && html`<${NoRows} filters=${filters} change=${change} deployment=${deployment} store=${about.store} />`}
        </div>
        ${pages.pending > 0 && html`<p class="left-to-read soft" role="status">${leftToRead(pages.pending)}</p>`}
      </div>
      ${query.row && html`<${RowDrawer} key="drawer" id=${query.row} deployment=${deployment} baseline=${query.baseline} close=${() => open(null)} />`}
    </div>
    ${dialog === "copy" && html`<${CopyDialog} parameters=${{...asked, columns: chosen}} close=${close} />`}
    ${dialog === "columns" && html`<${ColumnPicker} columns=${columns.columns} chosen=${chosen.length > 0 ? chosen : pages.columns} choose=${(names) => go({columns: names.length > 0 ? JSON.stringify(names) : null})} close=${close} />`}
    ${dialog?.name && html`<${FilterForm} column=${dialog} filters=${filters} change=${change} close=${close} />`}`;
}

const NoRows = ({filters, change, deployment, store}) => filters.length > 0
  ? html`<${Empty} title="No row passes these filters"><p><button type="button" onClick=${() => change([])}>Show all rows of the window</button></p><//>`
  : html`
    <${Empty} title="No rows in this window" lines=${[`otel-modeldata why ${deployment} --store ${quoted(store)}`]}>
      <p><button type="button" onClick=${() => go({since: "all", until: null})}>Show all rows</button></p>
      <p>If there should be some, this says why there are none:</p>
    <//>`;

export default function Explore({location, about}) {
  const deployment = deploymentIn(location);
  const {answer, error, isOld, again} = useAnswer(deployment ? "columns" : null, {deployment});
  if (!deployment) return html`<${ChooseDeployment} screen="explore" about=${about} />`;
  if (error && !answer) return html`<${Failure} error=${error} again=${again} />`;
  if (!answer || isOld) return html`<${Loading} lines=${10} />`;
  return html`<h1 class="unseen">Rows of ${deployment}</h1><${Explored} key=${deployment} deployment=${deployment} location=${location} about=${about} columns=${answer} />`;
}
