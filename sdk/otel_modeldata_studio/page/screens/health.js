// Whether everything that was collected is there: the ledger, gaps, types that changed, late lines, what was set aside.
import {html} from "../html.js";
import {useAnswer, useTicks} from "../api.js";
import {age, bytes, count, duration, time} from "../format.js";
import {go, link} from "../state.js";
import {CopyButton} from "../components/copy_button.js";
import {Failure, Loading} from "../components/message.js";
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
      <p class="soft">Looked at ${time(answer.updated)}.</p>
    </article>`;
}

function Findings({findings}) {
  if (findings.length === 0) return html`<p class="none">Nothing is missing, as far as the store says.</p>`;
  return html`
    <ul class="findings">${findings.map((one) => html`<li>
      <${Text} value=${one.text} />${one.command && html`<div class="command"><code><bdi>${one.command}</bdi></code><${CopyButton} text=${one.command} /></div>`}
    </li>`)}</ul>`;
}

/** A section with a table, or with a sentence that says that there is nothing. */
function Table({id, title, head, rows, none, note}) {
  return html`
    <section aria-labelledby=${id}>
      <h2 id=${id}>${title}${rows.length > 0 && html` <span class="soft">${count(rows.length)}</span>`}</h2>
      ${note && html`<p class="soft">${note}</p>`}
      ${rows.length === 0
        ? html`<p class="soft">${none}</p>`
        : html`<div class="scroll" tabindex="0" role="region" aria-label=${title}><table>
            <thead><tr>${head.map((name) => html`<th scope="col" class=${name.startsWith("#") ? "figure" : null}>${name.replace("#", "")}</th>`)}</tr></thead>
            <tbody>${rows.slice(0, FIRST)}</tbody>
          </table></div>`}
      ${rows.length > FIRST && html`<p class="soft">${count(rows.length - FIRST)} more: choose a deployment.</p>`}
    </section>`;
}

function Ledger({rows}) {
  const hasTimes = rows.some((row) => row.last);
  return html`<${Table} id="ledger" title="Producers" none="No line says which process collected it, so nothing can be missed."
    note="Each process numbers what it collects: a number that is not there is an event that is not stored."
    head=${["Collection", "Producer", "#stored", "#quarantined", "#duplicates", "#missing", "Numbers that are missing", ...(hasTimes ? ["Last event"] : [])]}
    rows=${rows.map((row) => html`<tr class=${row.missing > 0 ? "alarm-row" : null}>
      <th scope="row"><${Text} value=${row.collection} /></th>
      <td title=${row.producer}><${Text} value=${short(row.producer || "unknown")} mono=${true} /></td>
      <td class="figure">${count(row.stored)}</td><td class="figure">${count(row.quarantined)}</td>
      <td class="figure">${count(row.duplicates)}</td>
      <td class="figure">${row.missing > 0 ? html`<span class="alarm-text">${count(row.missing)}</span>` : count(row.missing)}</td>
      <td>${ranges(row.gaps ?? [])}${row.note && html` <span class="soft"><${Text} value=${row.note} /></span>`}</td>
      ${hasTimes && html`<td class="moment">${time(row.last, "minute")}</td>`}
    </tr>`)} />`;
}

/** The beginning of an id that a process has made up; the whole one is its title. */
const short = (id) => (/^[0-9a-f]{32}$/.test(id) ? `${id.slice(0, 12)}…` : id);

function ranges(gaps) {
  const texts = gaps.slice(0, MOST_GAPS).map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
  return `${texts.join(", ")}${gaps.length > MOST_GAPS ? ` and ${count(gaps.length - MOST_GAPS)} more` : ""}`;
}

function Changes({changes}) {
  return html`<${Table} id="changes" title="Types that changed" none="Every column has kept its type."
    head=${["Collection", "Column", "Before", "Now", "Since"]}
    rows=${changes.map((row) => html`<tr>
      <th scope="row"><${Text} value=${row.collection} /></th><td><${Text} value=${row.column} /></td>
      <td><${Text} value=${row.before ?? "no such column"} mono=${true} /></td><td><${Text} value=${row.after ?? "no such column"} mono=${true} /></td>
      <td class="moment">${time(row.since, "minute")}</td>
    </tr>`)} />`;
}

function Late({rows}) {
  return html`<${Table} id="late" title="Late lines" none="No line came after its hour was sealed."
    head=${["Collection", "Hour", "#lines", "Came last"]}
    rows=${rows.map((row) => html`<tr>
      <th scope="row"><${Text} value=${row.collection} /></th><td>${time(row.hour, "minute")}</td>
      <td class="figure">${count(row.lines)}</td><td>${time(row.latest, "minute")}</td>
    </tr>`)} />`;
}

function Quarantine({groups}) {
  return html`
    <section aria-labelledby="quarantine">
      <h2 id="quarantine">Quarantine${groups.length > 0 && html` <span class="soft">${count(groups.reduce((sum, one) => sum + one.count, 0))}</span>`}</h2>
      ${groups.length === 0 && html`<p class="soft">Every record could become a line.</p>`}
      ${groups.map((group) => html`
        <details class="line">
          <summary><${Text} value=${group.reason} /> <span class="soft">${count(group.count)} · ${time(group.last, "minute")}</span></summary>
          ${group.records.map((record) => html`
            <p class="soft"><${Text} value=${record.place} mono=${true} /> ${record.time ? time(record.time) : ""}</p>
            <${Block} text=${record.text} label="record in quarantine" />`)}
        </details>`)}
    </section>`;
}

function Parked({rows}) {
  if (rows.length === 0) return null;
  return html`<${Table} id="parked" title="Parked" none="" note="These lines wait, because their own place takes none at present."
    head=${["Collection", "#blobs", "#size"]}
    rows=${rows.map((row) => html`<tr>
      <th scope="row"><${Text} value=${row.collection} /></th><td class="figure">${count(row.blobs)}</td><td class="figure">${bytes(row.bytes)}</td>
    </tr>`)} />`;
}

function Receivers({rows, seals}) {
  return html`
    <${Table} id="receivers" title="Receivers" none="No receiver has written yet." head=${["Instance", "Last write", "#collections"]}
      rows=${rows.map((row) => html`<tr>
        <th scope="row"><${Text} value=${row.instance} mono=${true} /></th>
        <td class=${row.age_seconds > STALE_SECONDS ? "soft" : null} title=${time(row.last_write)}>${
          row.age_seconds === null || row.age_seconds === undefined ? age(row.last_write) : `${duration(row.age_seconds)} ago`}</td>
        <td class="figure">${count(row.collections)}</td>
      </tr>`)} />
    ${seals && html`<p class="soft">${count(seals.sealed)} hours are sealed, ${count(seals.unsealed)} are not.</p>`}`;
}
