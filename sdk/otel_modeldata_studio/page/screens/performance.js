// Predictions against labels: first how many rows have a label, then the measures, their slices, and the worst rows.
import {html} from "../html.js";
import {useAnswer} from "../api.js";
import {count, number, percent, time} from "../format.js";
import {go, link} from "../state.js";
import {Bands, Key} from "../charts/bands.js";
import {finite} from "../charts/scale.js";
import {ChooseDeployment, deploymentIn} from "../components/choose_deployment.js";
import {Failure, Loading} from "../components/message.js";
import {Text, Value} from "../components/value.js";
import {WindowPicker} from "../components/window_picker.js";
import {windowIn} from "../time_window.js";

const NAMES = {
  accuracy: "accuracy", precision: "precision", recall: "recall", f1: "F1", auc: "AUC", roc_auc: "AUC", log_loss: "log loss",
  brier: "Brier score", mae: "mean absolute error", rmse: "root mean squared error", r2: "R²", bias: "mean error",
};
const FEW = 30;

export default function Performance({location, about}) {
  const deployment = deploymentIn(location);
  const window = windowIn(location.query);
  const {by} = location.query;
  const {answer, error, isOld, again} = useAnswer(deployment ? "performance" : null, {deployment, ...window, by});
  if (!deployment) return html`<${ChooseDeployment} screen="performance" about=${about} />`;
  const head = html`
    <header class="title">
      <p class="crumb"><a href=${link("explore", location.parts.slice(0, 2))}><${Text} value=${deployment} /></a></p>
      <h1>Performance</h1>
      <div class="tools"><${WindowPicker} query=${location.query} window=${window} /></div>
    </header>`;
  if (error) return html`<article>${head}<${Failure} error=${error} again=${again} /></article>`;
  if (!answer) return html`<article>${head}<${Loading} /></article>`;
  const {figures} = answer;
  return html`
    <article class=${isOld ? "performance is-old" : "performance"}>
      ${head}
      <${Coverage} figures=${figures} />
      ${figures.performance
        ? html`
          <${Measures} performance=${figures.performance} />
          <${OverTime} overTime=${answer.over_time} />
          <${Slices} performance=${figures.performance} choices=${answer.by ?? []} by=${by ?? figures.performance.by ?? ""} />
          <${Worst} rows=${answer.worst ?? []} performance=${figures.performance} deployment=${deployment} />`
        : html`<${Unknown} note=${figures.performance_note} deployment=${deployment} />`}
    </article>`;
}

/** What is measured is only of rows with a label, so their share comes first. */
function Coverage({figures}) {
  if (!figures.labels) return html`<section class="coverage"><h2>Labels</h2><p>No row of this window has a label.</p></section>`;
  const [labeled, all] = figures.labels;
  const share = all > 0 ? labeled / all : 0;
  return html`
    <section class="coverage" aria-labelledby="coverage">
      <h2 id="coverage">Labels</h2>
      <p><b>${all > 0 ? percent(share) : "none"}</b> of ${count(all)} scored rows have a label${labeled > 0 ? ` (${count(labeled)})` : ""}.</p>
      <svg height="10" role="img" aria-label="${percent(share)} of the rows have a label">
        <rect class="track" width="100%" height="10" rx="3" /><rect class="window" width="${share * 100}%" height="10" rx="3" />
      </svg>
      ${figures.other_labels > 0 && html`<p class="soft">${count(figures.other_labels)} labels are of no row of this window.</p>`}
      ${figures.ambiguous_labels > 0 && html`<p class="soft">${count(figures.ambiguous_labels)} labels are of a row id that repeats: it is not known which row is meant.</p>`}
    </section>`;
}

function Unknown({note, deployment}) {
  return html`
    <section class="note">
      <p>${note ? html`<${Text} value=${note} />` : "There are no labels to compare predictions with."}</p>
      <p>Labels that come later are rows of the collection <code>ground_truth</code> with the correlation id of their request. From a file:</p>
      <pre class="block" tabindex="0" role="region" aria-label="command">otel-modeldata label ${deployment} labels.csv</pre>
    </section>`;
}

/** A measure with the same digits as the others beside it. */
const digits = (value) => (Math.abs(value) < 10 ? value.toFixed(3) : number(value));
const shown = (measure) => (finite(measure?.value) === null ? "–" : digits(finite(measure.value)));
const interval = (measure) =>
  finite(measure?.low) === null || finite(measure?.high) === null ? "" : `${digits(finite(measure.low))} to ${digits(finite(measure.high))}`;

function Measures({performance}) {
  const {every} = performance;
  return html`
    <section aria-labelledby="measures">
      <h2 id="measures">Measures</h2>
      <dl class="tiles">
        ${Object.entries(every.measures).map(([name, measure]) => html`<div class="tile">
          <dt>${NAMES[name] ?? html`<${Text} value=${name} />`}</dt>
          <dd>${shown(measure)}${interval(measure) && html`<small title="interval of 95 %${measure.method ? `, ${measure.method}` : ""}">${interval(measure)}</small>`}</dd>
        </div>`)}
      </dl>
      <p class="soft">Of ${count(every.labeled)} labeled rows; below each value its interval of 95 %.
        Prediction: <${Text} value=${performance.prediction} />. Label: <${Text} value=${performance.label} />.
        ${performance.score && html` Score: <${Text} value=${performance.score} />.`}
        ${performance.positive !== null && performance.positive !== undefined && html` Positive class: <${Text} value=${performance.positive} />.`}
        ${performance.note && html` <${Text} value=${performance.note} />`}</p>
    </section>`;
}

function OverTime({overTime}) {
  const measures = Object.entries(overTime?.measures ?? {});
  if (!overTime || overTime.times.length === 0 || measures.length === 0) return null;
  return html`
    <section aria-labelledby="over-time">
      <h2 id="over-time">Over time</h2>
      ${measures.some(([, series]) => series.low) && html`<${Key} entries=${[{name: "value", style: "of-window"}, {name: "its interval of 95 %", style: "of-most"}]} />`}
      <div class="small-multiples">
        ${measures.map(([name, series]) => html`<div>
          <h3>${NAMES[name] ?? html`<${Text} value=${name} />`}</h3>
          <${Bands} times=${overTime.times} text=${number} label=${NAMES[name] ?? name} height=${100}
            bands=${series.low ? [{low: series.low, high: series.high, style: "most", name: "interval"}] : []}
            lines=${[{values: series.value, name: "value", style: "of-window"}]} />
        </div>`)}
        <div>
          <h3>scored and labeled rows</h3>
          <${Bands} times=${overTime.times} text=${count} label="labeled rows" fromZero=${true} height=${100}
            lines=${[{values: overTime.rows, name: "scored", style: "other-1"}, {values: overTime.labeled, name: "labeled", style: "of-window"}]} />
          <${Key} entries=${[{name: "labeled", style: "of-window"}, {name: "scored", style: "of-other-1"}]} />
        </div>
      </div>
    </section>`;
}

function Slices({performance, choices, by}) {
  const names = Object.keys(performance.every.measures);
  return html`
    <section aria-labelledby="slices">
      <h2 id="slices">Slices</h2>
      <label class="filter">By <select aria-label="By" value=${by} onChange=${(event) => go({by: event.target.value || null})}>
        <option value="">no column</option>
        ${by && !choices.includes(by) && html`<option value=${by}>${by}</option>`}
        ${choices.map((one) => html`<option value=${one}>${one}</option>`)}
      </select></label>
      ${performance.slices.length > 0 && html`
        <div class="scroll" tabindex="0" role="region" aria-label="slices"><table class="stacked">
          <thead><tr>
            <th scope="col">${performance.by ? html`<${Text} value=${performance.by} />` : "Slice"}</th>
            <th scope="col" class="figure">rows</th><th scope="col" class="figure">labeled</th>
            ${names.map((name) => html`<th scope="col" class="figure">${NAMES[name] ?? html`<${Text} value=${name} />`}</th>`)}
          </tr></thead>
          <tbody>${[performance.every, ...performance.slices].map((slice, at) => html`<tr class=${at === 0 ? "whole" : slice.labeled < FEW ? "soft" : null}>
            <th scope="row">${at === 0 ? "all rows" : html`<${Text} value=${slice.name} />`}</th>
            <td class="figure" data-name="rows">${count(slice.rows)}</td><td class="figure" data-name="labeled">${count(slice.labeled)}</td>
            ${names.map((name) => html`<td class="figure" data-name=${NAMES[name] ?? name} title=${interval(slice.measures[name])}>${shown(slice.measures[name])}
              ${interval(slice.measures[name]) && html`<small>${interval(slice.measures[name])}</small>`}</td>`)}
          </tr>`)}</tbody>
        </table></div>
        <p class="soft">Slices with fewer than ${FEW} labeled rows are faint: their values say little.</p>`}
    </section>`;
}

/** The error of a probability just below 1 is not written as 1. */
function errorText(error) {
  const value = finite(error);
  if (value === null) return "–";
  return Math.abs(value) < 1 && Math.abs(value) > 0.9999 ? `${value < 0 ? "below −" : "above "}0.9999` : number(value);
}

function Worst({rows, performance, deployment}) {
  if (rows.length === 0) return null;
  const hasScores = rows.some((row) => row.score !== null && row.score !== undefined);
  const hasErrors = rows.some((row) => finite(row.error) !== null);
  const said = performance.kind !== "classes" ? "The largest differences between prediction and label."
    : hasErrors ? "The scores that were farthest from the label; of equal ones the newest first." : "Wrong predictions, the newest first.";
  return html`
    <section aria-labelledby="worst">
      <h2 id="worst">Worst predictions</h2>
      <p class="soft">${said}</p>
      <div class="scroll" tabindex="0" role="region" aria-label="table of worst predictions"><table class="stacked">
        <thead><tr>
          <th scope="col">Request</th><th scope="col">Time (UTC)</th><th scope="col">Prediction</th><th scope="col">Label</th>
          ${hasScores && html`<th scope="col" class="figure"><${Text} value=${performance.score} /></th>`}
          ${hasErrors && html`<th scope="col" class="figure">Error</th>`}
        </tr></thead>
        <tbody>${rows.map((row) => html`<tr>
          <th scope="row"><a href=${link("request", [row.row_id], {deployment})}><${Text} value=${row.row_id} mono=${true} /></a></th>
          <td class="moment" data-name="Time (UTC)">${time(row.time)}</td><td data-name="Prediction"><${Value} value=${row.prediction} /></td>
          <td data-name="Label"><${Value} value=${row.label} /></td>
          ${hasScores && html`<td class="figure" data-name=${performance.score}>${finite(row.score) === null ? "–" : number(finite(row.score))}</td>`}
          ${hasErrors && html`<td class="figure" data-name="Error">${errorText(row.error)}</td>`}
        </tr>`)}</tbody>
      </table></div>
    </section>`;
}
