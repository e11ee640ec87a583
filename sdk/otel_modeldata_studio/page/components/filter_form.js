// Exact ends or values of a filter, for what a click on a histogram cannot say.
import {html, useState} from "../html.js";
import {withNull, without} from "../filters.js";
import {ownName} from "../format.js";
import {Dialog} from "./dialog.js";

const MEASURED = ["number", "integer", "time"];

/** A text of the form as a value of the column; null where there is none. */
const valueOf = (kind, text) => {
  const bare = text.trim();
  if (bare === "") return null;
  if (kind === "time") return bare.includes("T") ? bare : `${bare.replace(" ", "T")}Z`;
  const found = Number(bare);
  return Number.isNaN(found) ? undefined : found;
};

export function FilterForm({column, filters, change, close}) {
  const before = filters.find((one) => one.column === column.name) ?? {};
  const isMeasured = MEASURED.includes(column.kind);
  const [low, setLow] = useState(String(before.low ?? ""));
  const [high, setHigh] = useState(String(before.high ?? ""));
  const [text, setText] = useState((before.values ?? []).join("\n"));
  const [wrong, setWrong] = useState(null);
  const rest = without(filters, column.name);
  const done = (next) => { change(next); close(); };
  const apply = (event) => {
    event.preventDefault();
    if (!isMeasured) {
      const lines = text.split("\n").filter((line) => line !== "");
      const values = column.kind === "boolean" ? lines.map((line) => line === "true" ? true : line === "false" ? false : line) : lines;
      done(values.length > 0 ? [...rest, {column: column.name, op: "in", values}] : rest);
      return;
    }
    const ends = [valueOf(column.kind, low), valueOf(column.kind, high)];
    if (ends.includes(undefined)) setWrong("Expected a number, got a text: write 12.5, for example.");
    else done(ends.every((one) => one === null) ? rest : [...rest, {column: column.name, op: "between", low: ends[0], high: ends[1]}]);
  };
  return html`
    <${Dialog} title=${`Filter ${ownName(column.name)}`} close=${close}>
      <form class="form" onSubmit=${apply}>
        ${isMeasured ? html`
          <label>from <input autofocus value=${low} onInput=${(event) => setLow(event.target.value)} placeholder="no lower end" /></label>
          <label>below <input value=${high} onInput=${(event) => setHigh(event.target.value)} placeholder="no upper end" /></label>`
        : html`<label>one value a line <textarea rows="4" value=${text} onInput=${(event) => setText(event.target.value)}></textarea></label>`}
        ${wrong && html`<p class="alarm-text" role="alert">${wrong}</p>`}
        <div class="buttons">
          <button type="submit">Filter</button>
          <button type="button" onClick=${() => done(withNull(rest, column.name, "null"))}>Only nulls</button>
          <button type="button" onClick=${() => done(withNull(rest, column.name, "not_null"))}>No nulls</button>
          <button type="button" onClick=${() => done(rest)}>No filter</button>
        </div>
      </form>
    <//>`;
}
