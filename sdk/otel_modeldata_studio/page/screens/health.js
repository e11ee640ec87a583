// Whether everything that was collected is there: the ledger, gaps, types that changed, late lines, what was set aside.
import {html} from "../html.js";
import {useAnswer, useTicks} from "../api.js";
import {age, bytes, count, duration, time} from "../format.js";
import {go, link} from "../state.js";
import {CopyButton} from "../components/copy_button.js";
import {Empty, Failure, Loading} from "../components/message.js";
import {Block, Text} from "../components/value.js";

const SECONDS = 30;
const MOST_GAPS = 12;
const FIRST = 200;
const STALE_SECONDS = 3600;

export default function Health({location, about}) {
  const {deployment} = location.query;
  const {answer, error, isOld, again} = useAnswer("health", {deployment}, {version: useTicks(SECONDS)});
  const head = html`
    <header class="title">
      <h1>Health</h1>
      <div class="tools"><label>Deployment <select aria-label="Deployment" value=${deployment ?? ""} onChange=${(event) => go({deployment: event.target.value || null})}>
        <option value="">all</option>
        ${about.deployments.map((one) => html`<option value=${one.name}>${one.name}</option>`)}
      </select></label></div>
    </header>`;
  if (error && !answer) return html`<article>${head}<${Failure} error=${error} again=${again} /></article>`;
  if (!answer) return html`<article>${head}<${Loading} /></article>`;
  if (!deployment && isEmpty(answer)) return html`<article class="health">${head}<${Nothing} about=${about} /></article>`;
  return html`
    <article class=${isOld ? "health is-old" : "health"}>
      ${head}
      ${error && html`<${Failure} error=${error} again=${again} />`}
      <${Findings} findings=${answer.findings ?? []} />
      ${answer.bounded && html`<p class="note"><${Text} value=${answer.bounded} /></p>`}
      <${Ledger} rows=${answer.ledger ?? []} />
      <${Changes} changes=${answer.schema_changes ?? []} />
      <${Late} rows=${answer.late ?? []} />
      <${Quarantine} groups=${answer.quarantine ?? []} />
      <${Parked} rows=${answer.parked ?? []} />
      <${Receivers} rows=${answer.receivers ?? []} seals=${answer.seals} />
      <p class="soft">Looked at ${time(answer.updated)} UTC.</p>
    </article>`;
}

/** Whether the store has nothing yet, so that nothing can be said of it. */
const isEmpty = (answer) => ["findings", "ledger", "late", "quarantine", "parked", "receivers"].every((name) => (answer[name] ?? []).length === 0) && !answer.bounded;

const Nothing = ({about}) => html`
  <${Empty} title="No data yet">
    <p><bdi>${about.store}</bdi> has no collection, so there is nothing to miss. <a href=${link("home")}>Home</a> says how to begin.</p>
  <//>`;

function Findings({findings}) {
  if (findings.length === 0) return html`<p class="none">Nothing is missing, as far as the store says.</p>`;
  return html`
    <ul class="findings">${findings.map((one) => html`<li>
      <${Text} value=${one.text} />${one.command && html`<div class="command"><code><bdi>${one.command}</bdi></code><${CopyButton} text=${one.command} /></div>`}
    </li>`)}</ul>`;
}

/**
 * A section with a table, or with a sentence that says that there is nothing.
 *
 * `columns`: [{name, of, className}], `of` takes a row and gives a cell; the first one is the head of its row. On a phone
 * each row is a block, with the names before the values.
 */
function Table({id, title, columns, rows, none, note, classOf}) {
  const shown = columns.filter(Boolean);
  const cell = ({name, of, className}, row, at) => at === 0
    ? html`<th scope="row">${of(row)}</th>`
    : html`<td class=${className ?? null} data-name=${name}>${of(row)}</td>`;
  return html`
    <section aria-labelledby=${id}>
      <h2 id=${id}>${title}${rows.length > 0 && html` <span class="soft">${count(rows.length)}</span>`}</h2>
      ${note && html`<p class="soft">${note}</p>`}
      ${rows.length === 0
        ? html`<p class="soft">${none}</p>`
        : html`<div class="scroll" tabindex="0" role="region" aria-label=${title}><table class="stacked">
            <thead><tr>${shown.map(({name, className}) => html`<th scope="col" class=${className ?? null}>${name}</th>`)}</tr></thead>
            <tbody>${rows.slice(0, FIRST).map((row) => html`<tr class=${classOf?.(row) ?? null}>${shown.map((one, at) => cell(one, row, at))}</tr>`)}</tbody>
          </table></div>`}
      ${rows.length > FIRST && html`<p class="soft">${count(rows.length - FIRST)} more: choose a deployment.</p>`}
    </section>`;
}

const figure = (name, of) => ({name, of, className: "figure"});

function Ledger({rows}) {
  return html`<${Table} id="ledger" title="Producers" rows=${rows} none="No line says which process collected it, so nothing can be missed."
    note="Each process numbers what it collects: a number that is not there is an event that is not stored."
    classOf=${(row) => (row.missing > 0 ? "alarm-row" : null)}
    columns=${[
      {name: "Collection", of: (row) => html`<${Text} value=${row.collection} />`},
      {name: "Producer", of: (row) => (row.producer ? html`<span class="id"><${Text} value=${row.producer} mono=${true} /></span>` : html`<span class="soft">unknown</span>`)},
      figure("Missing", (row) => html`<span class=${row.missing > 0 ? "alarm-text" : row.missing === null ? "soft" : null}>${count(row.missing)}</span>`),
      rows.some((row) => row.gaps?.length > 0 || row.note) && {name: "Numbers that are missing", className: "gaps", of: (row) => html`${ranges(row.gaps ?? [])}${row.note && html` <span class="soft"><${Text} value=${row.note} /></span>`}`},
      figure("Stored", (row) => count(row.stored)),
      figure("Quarantined", (row) => count(row.quarantined)),
      figure("Duplicates", (row) => count(row.duplicates)),
      rows.some((row) => row.last) && {name: "Last event", className: "moment", of: (row) => time(row.last, "minute")},
    ]} />`;
}

function ranges(gaps) {
  const texts = gaps.slice(0, MOST_GAPS).map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
  return `${texts.join(", ")}${gaps.length > MOST_GAPS ? ` and ${count(gaps.length - MOST_GAPS)} more` : ""}`;
}

function Changes({changes}) {
  const type = (text) => html`<${Text} value=${text ?? "no such column"} mono=${true} />`;
  return html`<${Table} id="changes" title="Types that changed" rows=${changes} none="Every column has kept its type."
    columns=${[
      {name: "Collection", of: (row) => html`<${Text} value=${row.collection} />`},
      {name: "Column", of: (row) => html`<${Text} value=${row.column} />`},
      {name: "Before", of: (row) => type(row.before)},
      {name: "Now", of: (row) => type(row.after)},
      {name: "Since", className: "moment", of: (row) => time(row.since, "minute")},
    ]} />`;
}

function Late({rows}) {
  return html`<${Table} id="late" title="Late lines" rows=${rows} none="No line came after its hour was sealed."
    columns=${[
      {name: "Collection", of: (row) => html`<${Text} value=${row.collection} />`},
      {name: "Hour", className: "moment", of: (row) => time(row.hour, "minute")},
      figure("Lines", (row) => count(row.lines)),
      {name: "Came last", className: "moment", of: (row) => time(row.latest, "minute")},
    ]} />`;
}

function Quarantine({groups}) {
  return html`
    <section aria-labelledby="quarantine">
      <h2 id="quarantine">Quarantine${groups.length > 0 && html` <span class="soft">${count(groups.reduce((sum, one) => sum + one.count, 0))}</span>`}</h2>
      ${groups.length === 0 && html`<p class="soft">Every record could become a line.</p>`}
      ${groups.map((group) => html`
        <details class="line">
          <summary><${Text} value=${group.reason} /> <span class="soft">${count(group.count)} · <span class="moment">${time(group.last, "minute")}</span></span></summary>
          ${group.records.map((record) => html`
            <p class="soft"><${Text} value=${record.place} mono=${true} /> ${record.time ? time(record.time) : ""}</p>
            <${Block} text=${record.text} label="record in quarantine" />`)}
        </details>`)}
    </section>`;
}

function Parked({rows}) {
  if (rows.length === 0) return null;
  return html`<${Table} id="parked" title="Parked" rows=${rows} none="" note="These lines wait, because their own place takes none at present."
    columns=${[
      {name: "Collection", of: (row) => html`<${Text} value=${row.collection} />`},
      figure("Blobs", (row) => count(row.blobs)),
      figure("Size", (row) => bytes(row.bytes)),
    ]} />`;
}

function Receivers({rows, seals}) {
  const written = (row) => html`<span class=${row.age_seconds > STALE_SECONDS ? "soft" : null} title=${row.last_write ? `${time(row.last_write)} UTC` : null}>${
    row.age_seconds === null || row.age_seconds === undefined ? age(row.last_write) : `${duration(row.age_seconds)} ago`}</span>`;
  return html`
    <${Table} id="receivers" title="Receivers" rows=${rows} none="No receiver has written yet."
      columns=${[
        {name: "Instance", of: (row) => html`<span class="id"><${Text} value=${row.instance} mono=${true} /></span>`},
        {name: "Last write", of: written},
        figure("Collections", (row) => count(row.collections)),
      ]} />
    ${seals && html`<p class="soft">${count(seals.sealed)} ${seals.sealed === 1 ? "hour is" : "hours are"} sealed, ${count(seals.unsealed)} ${seals.unsealed === 1 ? "is" : "are"} not.</p>`}`;
}
