// The spans of a request: each below the one around it, as a bar over its time.

import {html, useState} from "../html.js";
import {count, milliseconds} from "../format.js";
import {Text, visible} from "../components/value.js";

const FIRST = 100;
const DEEPEST = 12;

/** @param {{spans: object[]}} props as the API has them, in the order of a waterfall. */
export function Waterfall({spans}) {
  const [most, setMost] = useState(FIRST);
  const begin = Math.min(...spans.map((span) => span.start_ms));
  const end = Math.max(...spans.map((span) => span.start_ms + Math.max(0, span.duration_ms)));
  const whole = Math.max(end - begin, 1e-6);
  return html`
    <div class="waterfall" role="list" aria-label="${count(spans.length)} spans in ${milliseconds(whole)}">
      ${spans.slice(0, most).map((span) => html`<${Bar} span=${span} begin=${begin} whole=${whole} />`)}
    </div>
    ${spans.length > most &&
    html`<button type="button" onClick=${() => setMost(spans.length)}>Show all ${count(spans.length)} spans</button>`}`;
}

function Bar({span, begin, whole}) {
  const isFailed = span.status === "ERROR";
  const left = ((span.start_ms - begin) / whole) * 100;
  const width = Math.max(0, (span.duration_ms / whole) * 100);
  const attributes = Object.entries(span.attributes ?? {});
  return html`
    <div role="listitem"><details class=${isFailed ? "span failed" : "span"}>
      <summary>
        <span class="name" style=${{paddingLeft: `${Math.min(span.depth, DEEPEST) * 0.8}rem` }}>
          <bdi>${visible(span.name)}</bdi>${isFailed && html`<span class="alarm-text"> error</span>`}
        </span>
        <svg class="time" height="14" aria-hidden="true">
          <rect class=${isFailed ? "alarm-fill" : "window"} x="${left}%" y="2" width="${Math.max(width, 0.3)}%" height="10" rx="2" />
        </svg>
        <span class="took">${milliseconds(span.duration_ms)}</span>
      </summary>
      <dl>
        ${span.service && html`<div><dt>service</dt><dd><${Text} value=${span.service} /></dd></div>`}
        <div><dt>begins after</dt><dd>${milliseconds(span.start_ms - begin)}</dd></div>
        ${attributes.map(
          ([name, value]) => html`<div>
            <dt><${Text} value=${name} /></dt>
            <dd><${Text} value=${typeof value === "string" ? value : JSON.stringify(value)} /></dd>
          </div>`,
        )}
      </dl>
    </details></div>`;
}
