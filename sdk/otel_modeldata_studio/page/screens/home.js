// Which collections there are, and which of them need eyes.
import {html, useRef, useState} from "../html.js";
import {useAnswer, useTicks} from "../api.js";
import {Sparkline} from "../charts/sparkline.js";
import {CopyButton} from "../components/copy_button.js";
import {Empty, Failure, Loading} from "../components/message.js";
import {Text} from "../components/value.js";
import {age, bytes, compact, count, duration, index, ownName, percent, quoted, rowCount, time} from "../format.js";
import {useKeys} from "../keyboard.js";
import {requestId} from "../request_id.js";
import {go, link, visit} from "../state.js";
import {baselineText} from "../time_window.js";

const SECONDS = 10;
const HOUR_MILLISECONDS = 3_600_000;
const DRIFTED = 0.2;
const STATES = {bad: "needs eyes", warn: "look at it", ok: "well"};

const first = (store) => [
  {say: "From Python, where the model scores:"},
  "pip install otel-modeldata",
  `export OTEL_MODELDATA_STORE=${quoted(store)}`,
  `from otel_modeldata import Collector

inputs = Collector(name="model_inputs")
inputs.collect(frame)  # the DataFrame that you score`,
  {say: "Or from services on this machine, over OTLP: a receiver, to which they send by default."},
  `otel-modeldata receive --store ${quoted(store)}`,
  {say: "Or a day of a model in production, made up in half a minute, to look around:"},
  `otel-modeldata demo --no-studio --store ${quoted(store)}`,
  {say: "If no rows come, this looks along their way, and says where they end:"},
  `otel-modeldata why --store ${quoted(store)}`,
];

/** A count that is fine when it is 0, and otherwise stands out. */
const Faults = ({value, name}) => html`<td class=${value > 0 ? "alarm-text" : "soft"} data-name=${name}>${value === null ? "–" : count(value)}</td>`;

/** A count, or an estimate of one. */
const countText = (value, isEstimated) => `${isEstimated && value !== null ? "≈ " : ""}${compact(value)}`;
const countTitle = (value, isEstimated) => value === null ? "Not counted yet" : isEstimated ? `About ${count(value)}: estimated by bytes, until its hours are sealed or compact` : count(value);

/** What the columns of a row were compared with, in a sentence; null if nothing was. */
function compared({day, null_alarm: nulls}) {
  if (nulls === null) return "The last day is compared in the background: it comes in a moment.";
  if (!day) return null;
  if (day.note) return day.note;
  const about = day.is_estimated ? "≈ " : "";
  return `${time(day.since, "minute")} to ${time(day.until, "minute")} UTC (${about}${rowCount(day.rows)}), compared with ${baselineText(day.baseline)} (${about}${rowCount(day.baseline_rows)})`;
}

/** Where the rows of a collection are: Explore has labels, bodies and spans beside the rows of their requests. */
const rowsOf = ({name, endpoint, deployment, collection}, about) => about.beside_rows.includes(collection) || !endpoint ? link("collection", name.split("/")) : link("explore", [endpoint, deployment]);

const NOT_YET = html`<span class="soft not-yet" title="Not looked at yet">soon</span>`;
const NOTHING = html`<span class="soft">–</span>`;

/** Columns that lost values; of labels, which come late, how many rows have one. */
function Nulls({row: {null_alarm: nulls, labels, day}}) {
  if (nulls === null) return NOT_YET;
  if (labels) return html`<span class="soft">${percent(labels.labeled / labels.rows)} labeled${day && ` in ${Math.round((Date.parse(day.until) - Date.parse(day.since)) / HOUR_MILLISECONDS)} h`}</span>`;
  if (nulls.length === 0) return NOTHING;
  return html`<span class="alarm-text"><bdi>${ownName(nulls[0])}</bdi>${nulls.length > 1 && ` +${nulls.length - 1}`}</span>`;
}

/** The column that is farthest from the baseline. */
function Drift({row: {null_alarm: nulls, drift, day}, parts, about}) {
  if (nulls === null) return NOT_YET;
  if (!drift) return NOTHING;
  // The window that was compared; a baseline that is a file is that of Studio itself.
  const query = {since: day.since, until: day.until, baseline: day.baseline === about.baseline ? null : day.baseline};
  return html`<a class=${drift.psi >= DRIFTED ? "alarm-text" : ""} href=${link("feature", [...parts, drift.column], query)}><bdi>${ownName(drift.column)}</bdi> ${index(drift.psi)}</a>`;
}

function Row({row, isCursor, about, hasParked}) {
  const {name, endpoint, deployment} = row;
  const total = row.hours.reduce((sum, hour) => sum + hour, 0);
  const said = row.hours_unit === "bytes" ? bytes(total) : `${row.is_estimated ? "about " : ""}${count(Math.round(total))} events`;
  const parts = [endpoint, deployment];
  return html`
    <tbody class=${`${row.state}${isCursor ? " cursor" : ""}`}>
      <tr aria-current=${isCursor ? "true" : null}>
        <th scope="row"><div class="who"><span class="state" role="img" aria-label=${STATES[row.state]} title=${STATES[row.state]}></span>${name ? html`<a href=${rowsOf(row, about)}><${Text} value=${name} /></a>` : html`<${Text} value=${name} />`}</div></th>
        <td class="graph"><${Sparkline} values=${row.hours} label=${`${said} in 24 hours`} /></td>
        <td title=${row.last_write ? `${time(row.last_write)} UTC` : null}>${age(row.last_write)}</td>
        <td title=${countTitle(row.events, row.is_estimated)}>${countText(row.events, row.is_estimated)}</td>
        <td class="wide" title=${countTitle(row.rows, row.is_estimated)}>${countText(row.rows, row.is_estimated)}</td>
        <td class="wide" title=${row.parquet_bytes ? `and ${bytes(row.parquet_bytes)} of Parquet` : null}>${bytes(row.bytes)}</td>
        <${Faults} value=${row.gaps} name="gaps" />
        <${Faults} value=${row.duplicates} name="duplicates" />
        ${hasParked && html`<${Faults} value=${row.parked} name="parked" />`}
        <${Faults} value=${row.quarantined} name="quarantined" />
        <td class="wide" title=${compared(row)} data-name="nulls"><${Nulls} row=${row} /></td>
        <td class="wide" title=${compared(row)} data-name="drift"><${Drift} row=${row} parts=${parts} about=${about} /></td>
      </tr>
      ${row.reason && html`
        <tr class="reason"><td colspan=${hasParked ? 12 : 11}><div>
          <${Text} value=${row.reason} />
          ${row.command && html`<span class="command"><code>${row.command}</code><${CopyButton} text=${row.command} /></span>`}
        </div></td></tr>`}
    </tbody>`;
}

export default function Home({location, about}) {
  const {answer, error, again} = useAnswer("home", {}, {version: useTicks(SECONDS)});
  const search = useRef(null);
  const [cursor, setCursor] = useState(-1);
  const wanted = (location.query.find ?? "").toLowerCase();
  const rows = (answer?.collections ?? []).filter(({name}) => name.toLowerCase().includes(wanted));
  const at = Math.min(cursor, rows.length - 1);
  const asRequest = link("request", [requestId(location.query.find ?? "")]);
  const step = (by) => () => {
    const next = Math.max(0, Math.min(rows.length - 1, at + by));
    setCursor(next);
    document.querySelectorAll("table.collections tbody")[next]?.scrollIntoView({block: "nearest"});
  };
  useKeys({
    j: step(1), k: step(-1), "/": () => search.current?.focus(),
    Enter: () => at >= 0 && rows[at].name && visit(rowsOf(rows[at], about)),
    Escape: () => { search.current?.blur(); if (wanted) go({find: null}, {replace: true}); },
  });
  if (!answer) return error ? html`<${Failure} error=${error} again=${again} />` : html`<${Loading} lines=${8} />`;
  if (answer.collections.length === 0) {
    return html`<${Empty} title="No data yet" lines=${first(about.store)}>
      <p><bdi>${about.store}</bdi> has no collection. This page shows rows as soon as they are stored. To begin, one of these:</p><//>`;
  }
  const bad = answer.collections.filter(({state}) => state === "bad").length;
  const warned = answer.collections.filter(({state}) => state === "warn").length;
  const isLooking = answer.collections.some(({null_alarm: nulls}) => nulls === null);
  const hasParked = answer.collections.some(({parked}) => parked > 0); // it is rare, and twelve columns hardly fit
  const lag = (Date.now() - Date.parse(answer.updated)) / 1000;
  return html`
    <div class="heading">
      <h1>${count(answer.collections.length)} ${answer.collections.length === 1 ? "collection" : "collections"}</h1>
      <span class=${bad ? "alarm-text" : "soft"}>${[bad && `${count(bad)} ${bad === 1 ? "needs" : "need"} eyes`, warned && `${count(warned)} to look at`].filter(Boolean).join(", ") || (isLooking ? "looking…" : "all well")}</span>
      <input ref=${search} type="search" placeholder="Find (/)" aria-label="Find a collection" value=${location.query.find ?? ""} onInput=${(event) => go({find: event.target.value}, {replace: true})}
        onKeyDown=${(event) => event.key === "Enter" && rows.length === 0 && visit(asRequest)} />
      <span class="soft end">${lag > 2 * SECONDS ? `as of ${duration(lag)} ago` : "now"}</span>
    </div>
    ${error && html`<${Failure} error=${error} />`}
    <div class="scroll" tabindex="0" role="region" aria-label="Collections">
      <table class="collections">
        <thead><tr><th scope="col">Collection</th><th scope="col">24 hours</th><th scope="col">Last write</th><th scope="col">Events</th><th scope="col" class="wide">Rows</th><th scope="col" class="wide">Size</th><th scope="col">Gaps</th><th scope="col">Duplicates</th>${hasParked && html`<th scope="col">Parked</th>`}<th scope="col">Quarantined</th><th scope="col" class="wide">Nulls</th><th scope="col" class="wide">Drift (PSI)</th></tr></thead>
        ${rows.map((row, n) => html`<${Row} key=${row.name} row=${row} isCursor=${n === at} about=${about} hasParked=${hasParked} />`)}
      </table>
    </div>
    ${answer.is_whole === false && html`<p class="soft" role="status">Older folders are still being listed: rows and sizes come in a moment.</p>`}
    ${answer.unnamed > 0 && html`<p class="soft">${count(answer.unnamed)} quarantined records name no collection: <a href=${link("health")}>Health</a> shows them.</p>`}
    ${rows.length === 0 && html`<p class="soft">No collection has “<bdi>${location.query.find}</bdi>” in its name. <a href=${asRequest}>Find a request with this id</a> (Enter)</p>`}`;
}
