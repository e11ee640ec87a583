// The keys of the page.
import {html} from "../html.js";
import {Dialog} from "./dialog.js";

const KEYS = [
  ["j k", "next row, row before"],
  ["Enter", "open the row"],
  ["o", "everything about the open row"],
  ["p", "pin a request, to compare it with others"],
  ["Esc", "close what is open"],
  ["/", "find a column or a collection"],
  ["l", "live: show new rows as they come"],
  ["c", "copy as Python, SQL or command"],
  ["g h", "home"],
  ["g e", "explore"],
  ["g r", "find a request"],
  ["g p", "performance"],
  ["g s", "health"],
  ["t", "dark or light"],
  ["?", "these keys"],
];

export const KeysHelp = ({close}) => html`
  <${Dialog} title="Keys" close=${close}>
    <dl class="keys">${KEYS.map(([keys, meaning]) => html`<div key=${keys}><dt>${keys.split(" ").map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${meaning}</dd></div>`)}</dl>
  <//>`;
