// Which columns the table of rows has.
import {html, useState} from "../html.js";
import {ownName} from "../format.js";
import {Dialog} from "./dialog.js";
import {visible} from "./value.js";

export const MOST_COLUMNS = 40;
const MOST_LISTED = 300;

export function ColumnPicker({columns, chosen, choose, close}) {
  const [picked, setPicked] = useState(chosen);
  const [first, setFirst] = useState(chosen); // as picked, but nothing moves below the pointer
  const [find, setFind] = useState("");
  const wanted = find.toLowerCase();
  // Those of the table first, in its order.
  const places = new Map(first.map((name, at) => [name, at]));
  const ordered = [...columns].sort((one, other) => (places.get(one.name) ?? columns.length) - (places.get(other.name) ?? columns.length));
  const listed = ordered.filter(({name}) => name.toLowerCase().includes(wanted));
  const toFront = (name) => {
    const next = [name, ...picked.filter((one) => one !== name)].slice(0, MOST_COLUMNS);
    setPicked(next);
    setFirst(next);
  };
  const turn = (name) => setPicked((before) => before.includes(name) ? before.filter((one) => one !== name) : [...before, name].slice(0, MOST_COLUMNS));
  const apply = (event) => {
    event.preventDefault();
    choose(picked);
    close();
  };
  return html`
    <${Dialog} title="Columns of the table" close=${close}>
      <form class="form" onSubmit=${apply}>
        <input type="search" autofocus placeholder="Find" aria-label="Find a column" value=${find} onInput=${(event) => setFind(event.target.value)} />
        <fieldset class="checks"><legend class="soft">${picked.length} of at most ${MOST_COLUMNS}</legend>
          ${listed.slice(0, MOST_LISTED).map(({name, role}) => html`
            <label key=${name}><input type="checkbox" checked=${picked.includes(name)} onChange=${() => turn(name)} /><bdi>${visible(ownName(name))}</bdi> <span class="role">${role}</span>
              <button type="button" class="tiny plain end" disabled=${picked[0] === name} aria-label=${`To the front: ${ownName(name)}`} title="To the front of the table" onClick=${() => toFront(name)}>⇤</button></label>`)}
          ${listed.length > MOST_LISTED && html`<p class="soft">and ${listed.length - MOST_LISTED} more: find them by name</p>`}
        </fieldset>
        <div class="buttons"><button type="submit">Show</button><button type="button" onClick=${() => { choose([]); close(); }}>As at the start</button></div>
      </form>
    <//>`;
}
