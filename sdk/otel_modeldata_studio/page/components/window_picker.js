// The window of time, and the baseline that it is compared with.
import {html, useState} from "../html.js";
import {go} from "../state.js";
import {baselineText, momentText, windowBefore} from "../time_window.js";
import {Dialog} from "./dialog.js";

const LENGTHS = [["-1h", "1 h"], ["-24h", "24 h"], ["-7d", "7 d"], ["-30d", "30 d"], ["all", "all"]];

/** "2026-11-29 10:00" as the server takes it; relative times and empty ones stay. */
const asMoment = (text) => {
  const bare = text.trim();
  return /^\d{4}-\d\d-\d\d/.test(bare) && !/(Z|[+-]\d\d:?\d\d)$/.test(bare) ? `${bare.replace(" ", "T")}${bare.includes(":") ? "" : "T00:00"}Z` : bare || null;
};
const isChosen = (value, query, window) => value === "all" ? !window.since && !window.until : query.since === value && !query.until;

export function WindowPicker({query, window}) {
  const [isOpen, setOpen] = useState(false);
  const [since, setSince] = useState("");
  const [until, setUntil] = useState("");
  const [baseline, setBaseline] = useState("");
  const open = () => {
    setSince(query.since ?? window.since ?? "");
    setUntil(query.until ?? "");
    setBaseline(query.baseline ?? "");
    setOpen(true);
  };
  const apply = (event) => {
    event.preventDefault();
    go({since: asMoment(since), until: asMoment(until), baseline: baseline.trim() || null});
    setOpen(false);
  };
  const before = windowBefore(window);
  return html`
    <div class="window-picker" role="group" aria-label="Window of time">
      ${LENGTHS.map(([value, text]) => html`<button key=${value} type="button" aria-pressed=${isChosen(value, query, window)} onClick=${() => go({since: value, until: null})}>${text}</button>`)}
      <button type="button" class="range" onClick=${open} title="Choose another window or baseline">
        <span>${window.since ? momentText(window.since) : "beginning"} – ${momentText(window.until)} UTC</span>
        ${query.baseline && html` <span class="soft">vs ${baselineText(query.baseline)}</span>`}
      </button>
    </div>
    ${isOpen && html`
      <${Dialog} title="Window and baseline" close=${() => setOpen(false)}>
        <form class="form" onSubmit=${apply}>
          <label>from (UTC) <input autofocus value=${since} onInput=${(event) => setSince(event.target.value)} placeholder="2026-11-29 10:00 or -24h" /></label>
          <label>until (UTC) <input value=${until} onInput=${(event) => setUntil(event.target.value)} placeholder="now" /></label>
          <label>baseline <input value=${baseline} onInput=${(event) => setBaseline(event.target.value)} placeholder="2026-11-01..2026-11-08 or -14d..-7d" /></label>
          ${before && html`<button type="button" class="plain left" onClick=${() => setBaseline(before)}>Compare with the window before</button>`}
          <div class="buttons"><button type="submit">Show</button><button type="button" onClick=${() => { go({since: null, until: null, baseline: null}); setOpen(false); }}>As at the start</button></div>
        </form>
      <//>`}`;
}
