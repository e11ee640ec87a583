// The newest rows of one collection, such as labels, bodies or spans, each with the way to its request.
import {html} from "../html.js";
import {useAnswer, useTicks} from "../api.js";
import {cell, count, leftToRead, ownName, quoted, time} from "../format.js";
import {link} from "../state.js";
import {ChooseDeployment} from "../components/choose_deployment.js";
import {CopyButton} from "../components/copy_button.js";
import {Empty, Failure, Loading} from "../components/message.js";
import {Text, visible} from "../components/value.js";

const SECONDS = 10;
const FIXED = [168, 200];
const WIDTHS = {text: 220, nested: 260, binary: 120};
const WIDTH = 128;
const MEASURED = ["number", "integer"];

const side = (kind) => MEASURED.includes(kind) ? null : "text";

export default function Collection({location, about}) {
  const name = location.parts.join("/");
  const {answer, error, isOld, again} = useAnswer(name ? "newest" : null, {collection: name}, {version: useTicks(SECONDS)});
  if (!name) return html`<${ChooseDeployment} screen="explore" about=${about} />`;
  if (error && !answer) return html`<${Failure} error=${error} again=${again} />`;
  if (!answer || isOld) return html`<${Loading} lines=${10} />`;
  const all = `otel-modeldata query ${quoted(`SELECT * FROM "${name.replaceAll('"', '""')}" ORDER BY time DESC`)} --store ${quoted(about.store)}`;
  const {columns, rows} = answer;
  const width = (kind) => WIDTHS[kind] ?? WIDTH;
  return html`
    <div class="heading">
      <h1><${Text} value=${name} /></h1>
      <span class="soft" role="status">${[rows.length > 0 && (rows.length === 1 ? "one row" : `the newest ${count(rows.length)} rows`), leftToRead(answer.pending)].filter(Boolean).join(", ")}</span>
      <a class="end" href=${link("explore", location.parts.slice(0, 2))}>Rows of inputs and outputs</a>
    </div>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${rows.length === 0 && !answer.pending ? html`<${Empty} title="No rows"><p>No row of this collection could be read: <a href=${link("health")}>Health</a> says why, if lines are damaged.</p><//>` : html`
      <div class="scroll" tabindex="0" role="region" aria-label="Rows">
        <table class="rows plain" style=${{minWidth: `${columns.reduce((sum, one) => sum + width(one.kind), FIXED[0] + FIXED[1])}px`}}>
          <colgroup>${FIXED.map((one) => html`<col style=${{width: `${one}px`}} />`)}${columns.map((one) => html`<col key=${one.name} style=${{width: `${width(one.kind)}px`}} />`)}</colgroup>
          <thead><tr><th scope="col">Time (UTC)</th><th scope="col" class="text">Request</th>${columns.map((one) => html`<th scope="col" key=${one.name} class=${side(one.kind)} title=${one.name}><bdi>${visible(ownName(one.name))}</bdi></th>`)}</tr></thead>
          <tbody>${rows.map((row, at) => html`<tr key=${`${row.id} ${at}`}>
            <td>${time(row.time)}</td>
            <td class="text">${row.id ? html`<a href=${link("request", [row.id], {deployment: location.parts.slice(0, 2).join("/")})} title=${`Everything about ${visible(row.id)}`}><bdi>${visible(row.id)}</bdi></a>` : html`<span class="soft">–</span>`}</td>
            ${row.values.map((value, n) => html`<td key=${n} class=${side(columns[n].kind)} title=${typeof value === "string" && value ? visible(value) : null}><bdi>${visible(cell(value, columns[n].kind))}</bdi></td>`)}
          </tr>`)}</tbody>
        </table>
      </div>`}
    ${answer.columns_total > columns.length && html`<p class="soft">${count(answer.columns_total - columns.length)} more columns are not shown.</p>`}
    <p class="command soft">All of them: <code>${all}</code><${CopyButton} text=${all} /></p>`;
}
