// Which columns the table of rows has.
import {html, useState} from "../html.js";
import {ownName} from "../format.js";
import {Dialog} from "./dialog.js";
import {visible} from "./value.js";

export const MOST_COLUMNS = 40;
const MOST_LISTED = 300;

export function ColumnPicker({columns, chosen, choose, close}) {
  const [picked, setPicked] = useState(chosen);
  const [find, setFind] = useState("");
  const wanted = find.toLowerCase();
  const listed = columns.filter(({name}) => name.toLowerCase().includes(wanted));
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
            <label key=${name}><input type="checkbox" checked=${picked.includes(name)} onChange=${() => turn(name)} /><bdi>${visible(ownName(name))}</bdi> <span class="role">${role}</span></label>`)}
          ${listed.length > MOST_LISTED && html`<p class="soft">and ${listed.length - MOST_LISTED} more: find them by name</p>`}
        </fieldset>
        <div class="buttons"><button type="submit">Show</button><button type="button" onClick=${() => { choose([]); close(); }}>As at the start</button></div>
      </form>
    <//>`;
}
