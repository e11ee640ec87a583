// Two requests side by side: the pinned one, and the one that is shown.
import {html, useState} from "../html.js";
import {useAnswer} from "../api.js";
import {count, number} from "../format.js";
import {finite} from "../charts/scale.js";
import {Failure} from "../components/message.js";
import {Text, Value} from "../components/value.js";

const FIRST = 200;

export function Difference({pin, baseline, deployment, answer}) {
  const pinned = useAnswer("request", {id: pin, deployment, baseline});
  const [isAll, setAll] = useState(false);
  if (pinned.error) return html`<${Failure} error=${pinned.error} again=${pinned.again} />`;
  if (!pinned.answer) return null;
  const rows = pairs(pinned.answer, answer);
  const different = rows.filter((row) => !row.isEqual);
  const shown = (isAll ? rows : different).slice(0, FIRST);
  return html`
    <section class="difference" aria-labelledby="of-difference">
      <h2 id="of-difference">Against the pinned request <span class="soft">${count(different.length)} of ${count(rows.length)} values differ</span></h2>
      <label class="filter"><input type="checkbox" checked=${isAll} onChange=${() => setAll(!isAll)} /> Equal values, too</label>
      ${shown.length > 0 && html`
        <div class="scroll" tabindex="0" role="region" aria-label="both requests"><table class="pairs"><colgroup><col class="name" /><col /><col /><col /></colgroup>
          <thead><tr>
            <th scope="col">Column</th><th scope="col"><${Text} value=${pinned.answer.id} mono=${true} /></th>
            <th scope="col"><${Text} value=${answer.id} mono=${true} /></th><th scope="col">Difference</th>
          </tr></thead>
          <tbody>${shown.map((row) => html`<tr class=${row.isEqual ? "soft" : null}>
            <th scope="row"><${Text} value=${row.column} /></th>
            <td>${row.before ? html`<${Value} value=${row.before.value} kind=${row.before.kind} />` : "–"}</td>
            <td>${row.after ? html`<${Value} value=${row.after.value} kind=${row.after.kind} />` : "–"}</td>
            <td>${row.change}</td>
          </tr>`)}</tbody>
        </table></div>`}
      ${different.length === 0 && html`<p class="soft">Both have the same values.</p>`}
    </section>`;
}

/** Each column of either request, with both values. */
function pairs(before, after) {
  const of = (answer) => new Map([...answer.values, ...answer.outputs, ...answer.labels].map((one) => [one.column, one]));
  const [old, current] = [of(before), of(after)];
  return [...new Set([...old.keys(), ...current.keys()])].map((column) => {
    const [a, b] = [old.get(column), current.get(column)];
    const isEqual = JSON.stringify(a?.value) === JSON.stringify(b?.value);
    const [low, high] = [a, b].map((one) => (typeof one?.value === "number" ? finite(one.value) : null));
    const change = isEqual || low === null || high === null ? "" : `${high > low ? "+" : "−"}${number(Math.abs(Number((high - low).toPrecision(12))))}`;
    return {column, before: a, after: b, isEqual, change};
  });
}
