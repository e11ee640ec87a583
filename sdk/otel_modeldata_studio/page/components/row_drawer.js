// One row beside the table: its values and where each is in the baseline, its outputs and label.
import {html} from "../html.js";
import {useAnswer} from "../api.js";
import {count, moment, number, ownName} from "../format.js";
import {useKeys} from "../keyboard.js";
import {link, visit} from "../state.js";
import {CopyButton} from "./copy_button.js";
import {Failure, Loading} from "./message.js";
import {Text, Value} from "./value.js";

const place = (found) => {
  if (!found) return null;
  if (found.is_new) return html`<span class="alarm-text">new</span>`;
  if (found.is_null) return html`<span class="soft">null</span>`;
  if (found.percentile === null || found.percentile === undefined) return null;
  const label = `above ${number(found.percentile)} % of the baseline`;
  return html`<svg class="place" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label=${label}><title>${label}</title><rect class="track" y="3" width="100" height="4" /><rect class="window" x=${Math.min(97, found.percentile)} width="3" height="10" /></svg>`;
};

const Values = ({title, values, parts, hasPlaces}) => values.length === 0 ? null : html`
  <section><h3>${title}</h3>
    <table class="row-values"><tbody>${values.map((one) => html`
      <tr key=${one.column}>
        <th scope="row"><a href=${link("feature", [...parts, one.column])}><${Text} value=${ownName(one.column)} /></a></th>
        <td><${Value} value=${one.value} kind=${one.kind} /></td>
        ${hasPlaces && html`<td class="placed">${place(one.place)}</td>`}
      </tr>`)}</tbody></table>
  </section>`;

export function RowDrawer({id, deployment, baseline, close}) {
  const {answer, error, isOld, again} = useAnswer("request", {id, deployment, baseline});
  const parts = deployment.split("/");
  const hasPlaces = [...(answer?.values ?? []), ...(answer?.outputs ?? [])].some((one) => one.place);
  useKeys({o: () => visit(link("request", [id], {deployment}))});
  return html`
    <aside class="drawer" aria-label="Row">
      <header><h2><bdi>${id}</bdi></h2><button type="button" class="plain" aria-label="Close the row" title="Close (Esc)" onClick=${close}>✕</button></header>
      <p class="actions"><a href=${link("request", [id], {deployment})}>Everything about it</a><${CopyButton} text=${id} label="Copy id" /></p>
      ${error && html`<${Failure} error=${error} again=${again} />`}
      ${!answer && !error && html`<${Loading} lines=${8} />`}
      ${answer && html`
        <div class=${isOld ? "is-old" : ""}>
          <p class="soft">${moment(answer.rows.find((row) => row.row_id === id)?.time ?? answer.rows[0]?.time)} UTC${
            answer.spans.length > 0 && ` · ${count(answer.spans.length)} ${answer.spans.length === 1 ? "span" : "spans"}`}</p>
          <${Values} title="Outputs" values=${answer.outputs} parts=${parts} hasPlaces=${hasPlaces} />
          <${Values} title="Label" values=${answer.labels} parts=${parts} />
          <${Values} title="Inputs" values=${answer.values} parts=${parts} hasPlaces=${hasPlaces} />
        </div>`}
    </aside>`;
}
