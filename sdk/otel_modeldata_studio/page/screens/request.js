// Everything about one request: each value with its place in the baseline, its outputs, label, bodies, spans and lines.
import {html, useEffect, useRef, useState} from "../html.js";
import {useAnswer} from "../api.js";
import {bytes, count, moment, number, ownName, percent} from "../format.js";
import {go, link, visit} from "../state.js";
import {useKeys} from "../keyboard.js";
import {requestId} from "../request_id.js";
import {Failure, Loading} from "../components/message.js";
import {Block, Text, Value, indented} from "../components/value.js";
import {finite} from "../charts/scale.js";
import {Waterfall} from "../charts/waterfall.js";
import {Difference} from "./difference.js";
import {baselineText} from "../time_window.js";

const FIRST_VALUES = 200;
const RARE_PERCENT = 1;

export default function Request({location, about}) {
  const id = location.parts.join("/");
  const {deployment, pin, baseline} = location.query;
  const {answer, error, isOld, again} = useAnswer(id ? "request" : null, {id, deployment, baseline});
  const at = (row) => link("request", [row], {deployment: answer?.deployment ?? deployment, pin});
  useKeys({
    j: () => (answer?.next ? visit(at(answer.next)) : false),
    k: () => (answer?.previous ? visit(at(answer.previous)) : false),
    p: () => (answer ? go({pin: pin ? null : answer.id, deployment: answer.deployment}) : false),
  });
  if (!id) return html`<article><${Search} /></article>`;
  if (error) return html`<article><${Failure} error=${error} again=${again} /><${Search} key=${id} id=${id} /></article>`;
  if (!answer) return html`<${Loading} />`;
  const traceUrl = safeUrl(answer.trace_url);
  return html`
    <article class=${isOld ? "request is-old" : "request"}>
      <header class="title">
        <p class="crumb"><a href=${link("explore", answer.deployment.split("/"))}><${Text} value=${answer.deployment} /></a></p>
        <h1>Request <${Text} value=${answer.id} mono=${true} /></h1>
        <p class="soft">${answer.rows[0]?.time && `${moment(answer.rows[0].time)} UTC`}${answer.rows[0]?.time && answer.trace_id && " · "}${
          answer.trace_id && html`trace <${Text} value=${answer.trace_id} mono=${true} />`}</p>
        <nav class="tools" aria-label="requests">
          ${step("Previous", "k", answer.previous, at)}${step("Next", "j", answer.next, at)}
          <button type="button" aria-pressed=${Boolean(pin)} title="Key p"
            onClick=${() => go({pin: pin ? null : answer.id, deployment: answer.deployment})}>${pin ? "Unpin" : "Pin to compare"}</button>
          ${traceUrl && html`<a class="button" href=${traceUrl} target="_blank" rel="noopener noreferrer">Open the trace</a>`}
        </nav>
      </header>
      ${(answer.notes ?? []).map((note) => html`<p class="note"><${Text} value=${note} /></p>`)}
      ${answer.rows.length > 1 && html`<${Rows} answer=${answer} at=${at} />`}
      ${pin && (pin === answer.id
        ? html`<p class="note">This request is pinned: go to another one, and both are shown side by side.</p>`
        : html`<${Difference} pin=${pin} baseline=${baseline} deployment=${answer.deployment} answer=${answer} />`)}
      <p class="soft">${placesOf(answer)}</p>
      <${Values} title="Inputs" role="inputs" values=${answer.values} answer=${answer}
        empty="No inputs are stored under this id. Does the service call collect of a Collector named model_inputs?" />
      <${Values} title="Outputs" role="outputs" values=${answer.outputs} answer=${answer}
        empty="No outputs are stored under this id." />
      <${Values} title="Label" role="labels" values=${answer.labels} answer=${answer}
        empty=${html`No label yet. To add one: <code>otel-modeldata label</code>, or <code>LabelWriter</code> in Python.`} />
      <${Bodies} bodies=${answer.bodies} />
      <${Spans} spans=${answer.spans} />
      <${Lines} lines=${answer.lines} />
    </article>`;
}

/** What values are compared with. */
function placesOf({baseline, values, outputs}) {
  if (!baseline) return "The baseline has no rows to compare the values with.";
  const text = html`<${Text} value=${baselineText(baseline)} />`;
  return [...values, ...outputs].some((one) => one.place)
    ? html`Places are those in the baseline ${text}.` : html`The baseline ${text} has none of these columns to compare.`;
}

function step(name, key, row, at) {
  return row
    ? html`<a class="button" href=${at(row)} title="Key ${key}">${name}</a>`
    : html`<span class="button off" aria-disabled="true">${name}</span>`;
}

/** The template of the command may be anything: only a link to a page is one. */
function safeUrl(url) {
  try {
    return ["http:", "https:"].includes(new URL(url).protocol) ? url : null;
  } catch {
    return null;
  }
}

function Search({id = ""}) {
  const [text, setText] = useState(id);
  const field = useRef(null);
  useEffect(() => { if (!id) field.current.focus(); }, []);
  const find = (event) => {
    event.preventDefault();
    if (requestId(text)) visit(link("request", [requestId(text)]));
  };
  return html`
    <form class="search" onSubmit=${find}>
      <h1>Find a request</h1>
      <label>Correlation id, row id, event id, trace id or traceparent
        <input ref=${field} type="search" value=${text} onInput=${(event) => setText(event.target.value)} autocomplete="off" spellcheck="false" />
      </label>
      <button type="submit">Find</button>
    </form>`;
}

function Rows({answer, at}) {
  return html`
    <nav class="rows" aria-label="rows of this request">
      <span class="soft">${count(answer.rows.length)} rows:</span>
      ${answer.rows.slice(0, FIRST_VALUES).map((row) => html`<a href=${at(row.row_id)}
        aria-current=${row.row_id === answer.id ? "true" : null}><${Text} value=${row.row_id} mono=${true} /></a>`)}
    </nav>`;
}

/** Names and values; with many of them a field chooses. */
function Values({title, role, values, answer, empty}) {
  const [wanted, setWanted] = useState("");
  const [isAll, setAll] = useState(false);
  const found = values.filter((one) => one.column.toLowerCase().includes(wanted.toLowerCase()));
  const shown = isAll ? found : found.slice(0, FIRST_VALUES);
  const hasPlaces = values.some((one) => one.place);
  return html`
    <section aria-labelledby="of-${role}">
      <h2 id="of-${role}">${title}${values.length > 1 && html` <span class="soft">${count(values.length)}</span>`}</h2>
      ${values.length === 0 && html`<p class="soft">${empty}</p>`}
      ${values.length > 30 && html`<label class="filter">Columns whose name contains
        <input type="search" value=${wanted} onInput=${(event) => setWanted(event.target.value)} /></label>`}
      ${values.length > 0 && html`
        <div class="scroll" tabindex="0" role="region" aria-label="${title} of the request"><table class="pairs"><colgroup><col class="name" /><col />${hasPlaces && html`<col />`}</colgroup>
          <thead class=${hasPlaces ? null : "unseen"}><tr>
            <th scope="col">Column</th><th scope="col">Value</th>${hasPlaces && html`<th scope="col">Place in the baseline</th>`}
          </tr></thead>
          <tbody>${shown.map((one) => html`<tr>
            <th scope="row"><a href=${link("feature", [...answer.deployment.split("/"), one.column])}><${Text} value=${ownName(one.column)} /></a></th>
            <td><${Value} value=${one.value} kind=${one.kind} /></td>
            ${hasPlaces && html`<td class="placed"><${Place} place=${one.place} kind=${one.kind} /></td>`}
          </tr>`)}</tbody>
        </table></div>`}
      ${found.length > shown.length &&
      html`<button type="button" onClick=${() => setAll(true)}>Show all ${count(found.length)} columns</button>`}
    </section>`;
}

/** Where a value is among those of the baseline. */
function Place({place, kind}) {
  if (!place) return html`<span class="soft">–</span>`;
  if (place.is_new) return html`<span class="alarm-text">new: not in the baseline</span>`;
  if (place.is_null) return html`<span class="soft">null</span>`;
  if (place.percentile === null || place.percentile === undefined) {
    return place.share === null || place.share === undefined
      ? html`<span class="soft">known</span>`
      : html`<span class="soft">${percent(place.share)} have it</span>`;
  }
  const isRare = place.percentile < RARE_PERCENT || place.percentile > 100 - RARE_PERCENT;
  const text = `${number(Math.round(place.percentile * 10) / 10)} % of the baseline are lower`;
  const hasUsual = kind !== "time" && finite(place.low) !== null && finite(place.high) !== null;
  return html`
    <span class="percentile" title=${text}>
      <svg height="12" role="img" aria-label=${text}>
        <line class="rule" x1="0" x2="100%" y1="6" y2="6" /><line class="rule" x1="50%" x2="50%" y1="2" y2="10" />
        <rect class=${isRare ? "alarm-fill" : "window"} x="${place.percentile * 0.96}%" y="0" width="4%" height="12" rx="1" />
      </svg>
      <span class=${isRare ? "alarm-text" : "soft"}>${number(Math.round(place.percentile * 10) / 10)} %</span>
      ${hasUsual && html`<span class="soft usual" title="5 % and 95 % of the baseline">${number(place.low)} to ${number(place.high)}</span>`}
    </span>`;
}

function Bodies({bodies}) {
  if (bodies.length === 0) return null;
  return html`
    <section aria-labelledby="of-bodies">
      <h2 id="of-bodies">Bodies</h2>
      ${bodies.map((body) => html`
        <h3><${Text} value=${body.collection} /> <span class="soft">${[body.status && `status ${body.status}`, body.content_type, bytes(body.size)]
          .filter(Boolean).map((part, at) => html`${at > 0 && " · "}<${Text} value=${part} />`)}</span></h3>
        <${Block} text=${indented(body.text)} label="${body.collection} body" />`)}
    </section>`;
}

function Spans({spans}) {
  if (spans.length === 0) return null;
  return html`
    <section aria-labelledby="of-spans">
      <h2 id="of-spans">Spans <span class="soft">${count(spans.length)}</span></h2>
      <${Waterfall} spans=${spans} />
    </section>`;
}

function Lines({lines}) {
  return html`
    <section aria-labelledby="of-lines">
      <h2 id="of-lines">Lines in the store <span class="soft">${count(lines.length)}</span></h2>
      ${lines.map((line) => html`
        <details class="line">
          <summary><${Text} value=${line.collection} /> <span class="soft"><${Text} value="${line.blob}:${line.line}" mono=${true} /></span></summary>
          <${Block} text=${indented(line.text)} label="line ${line.line} of ${line.collection}" />
        </details>`)}
    </section>`;
}
