// One column: the window against the baseline, its quantiles, nulls and drift over time, and other deployments beside it.
import {html} from "../html.js";
import {useAnswer} from "../api.js";
import {count, index, number, percent, time} from "../format.js";
import {go, link, listIn, visit} from "../state.js";
import {Bands, Key} from "../charts/bands.js";
import {windowOf} from "../time_window.js";
import {HistogramPair} from "../charts/histogram_pair.js";
import {finite} from "../charts/scale.js";
import {ChooseDeployment, deploymentIn} from "../components/choose_deployment.js";
import {Failure, Loading} from "../components/message.js";
import {Text} from "../components/value.js";
import {WindowPicker} from "../components/window_picker.js";

const DRIFT = 0.2;
/** The custom of credit scoring; the report has the same threshold. */
const STYLES = ["other-1", "other-2", "other-3", "other-4"];
const MOST_SHARES = 6;

export default function Feature({location, about}) {
  const [endpoint, , ...rest] = location.parts;
  const [deployment, column] = [deploymentIn(location), rest.join("/")];
  const window = windowOf(location.query, deployment, about);
  const {baseline} = location.query;
  const others = listIn(location.query.others).slice(0, STYLES.length);
  const columns = useAnswer(deployment ? "columns" : null, {deployment});
  const {answer, error, isOld, again} = useAnswer(column ? "feature" : null, {deployment, column, ...window, baseline, others});
  if (!deployment) return html`<${ChooseDeployment} screen="feature" about=${about} />`;
  const tools = html`<${Tools} about=${about} endpoint=${endpoint} deployment=${deployment} column=${column}
    columns=${columns.answer?.columns ?? []} others=${others} query=${location.query} window=${window} />`;
  if (!column) return html`<article class="feature">${tools}<p class="note">Choose a column.</p></article>`;
  if (error) return html`<article class="feature">${tools}<${Failure} error=${error} again=${again} /></article>`;
  if (!answer) return html`<${Loading} />`;
  return html`
    <article class=${isOld ? "feature is-old" : "feature"}>
      ${tools}
      <${Tiles} answer=${answer} />
      <${Distribution} answer=${answer} deployment=${deployment} />
      <${OverTime} answer=${answer} deployment=${deployment} />
    </article>`;
}

/** Which column of which deployments is shown. */
function Tools({about, endpoint, deployment, column, columns, others, query, window}) {
  const beside = about.deployments.map((one) => one.name).filter((one) => one !== deployment && one.startsWith(`${endpoint}/`));
  const change = (other, isOn) =>
    go({others: isOn ? JSON.stringify([...others, other]) : others.length > 1 ? JSON.stringify(others.filter((one) => one !== other)) : null});
  return html`
    <header class="title">
      <p class="crumb"><a href=${link("explore", deployment.split("/"))}><${Text} value=${deployment} /></a></p>
      <h1>${column ? html`<${Text} value=${column} />` : "A column"}</h1>
      <div class="tools">
        <label>Column <select aria-label="Column" value=${column} onChange=${(event) => visit(link("feature", [...deployment.split("/"), event.target.value], {others: others.length > 0 ? JSON.stringify(others) : null}))}>
          ${!columns.some((one) => one.name === column) && html`<option value=${column}>${column}</option>`}
          ${columns.map((one) => html`<option value=${one.name}>${one.name}</option>`)}
        </select></label>
        <${WindowPicker} query=${query} window=${window} />
        ${beside.length > 0 && html`<fieldset><legend>Beside it</legend>
          ${beside.slice(0, 12).map((other) => html`<label><input type="checkbox" checked=${others.includes(other)}
            disabled=${!others.includes(other) && others.length >= STYLES.length}
            onChange=${(event) => change(other, event.target.checked)} /> <${Text} value=${other} /></label>`)}
        </fieldset>`}
      </div>
    </header>`;
}

function Tiles({answer}) {
  const {facet} = answer;
  const whole = facet.rows || 1;
  const psi = finite(facet.psi);
  return html`
    <dl class="tiles">
      <div class="tile"><dt>rows</dt><dd>${count(facet.rows)}</dd></div>
      <div class="tile"><dt>null</dt><dd>${percent(facet.nulls / whole)}</dd></div>
      ${facet.distinct !== null && facet.distinct !== undefined && html`<div class="tile"><dt>different values</dt><dd>${count(facet.distinct)}</dd></div>`}
      <div class=${psi !== null && psi >= DRIFT ? "tile alarm" : "tile"}><dt>drift (PSI)</dt><dd>${psi === null ? "no baseline" : index(psi)}</dd></div>
      ${facet.sample < 1 && html`<div class="tile"><dt>of the rows</dt><dd>${percent(facet.sample)}</dd></div>`}
    </dl>`;
}

/** The text of a value of the column: times are shorter than numbers of seconds. */
const textOf = (kind) => (value) => (kind === "time" ? time(value, "minute") : number(finite(value) ?? value));

function Distribution({answer, deployment}) {
  const {facet, deployments} = answer;
  const toRows = (other) => (filter) => link("explore", other.split("/"), {f: JSON.stringify([filter])});
  const hasBaseline = [...(facet.bins ?? []), ...(facet.values ?? [])].some((one) => one.baseline !== null && one.baseline !== undefined);
  return html`
    <section aria-labelledby="distribution">
      <h2 id="distribution">Distribution</h2>
      <${Key} entries=${[{name: "window", style: "of-window"}, ...(hasBaseline ? [{name: "baseline", style: "of-baseline"}] : [])]} />
      <p class="soft">Click a bar to see its rows.</p>
      <${HistogramPair} facet=${facet} hrefOf=${toRows(deployment)} />
      ${deployments.map((other) => html`
        <h3><${Text} value=${other.name} /></h3>
        <${HistogramPair} facet=${other.facet} hrefOf=${toRows(other.name)} height=${90} />`)}
    </section>`;
}

function OverTime({answer, deployment}) {
  const {times, quantiles, null_rate: nullRate, psi, shares, kind, deployments} = answer;
  const text = textOf(kind);
  const styled = deployments.map((other, at) => ({...other, style: STYLES[at]}));
  const isKnown = (values) => (values ?? []).some((value) => finite(value) !== null);
  const all = (values, name, key) => [
    {values, name, style: "of-window"},
    ...styled.filter((other) => isKnown(other[key])).map((other) => ({values: other[key], name: other.name, style: other.style})),
  ];
  return html`
    ${isKnown(quantiles?.p50) && html`
      <section aria-labelledby="quantiles">
        <h2 id="quantiles">Quantiles over time</h2>
        <${Key} entries=${[
          {name: "median", style: "of-window"}, {name: "25 to 75 %", style: "of-middle"}, {name: "5 to 95 %", style: "of-most"},
          ...styled.map((other) => ({name: `median of ${other.name}`, style: `of-${other.style}`})),
        ]} />
        <${Bands} times=${times} text=${text} label="quantiles" height=${220}
          bands=${[
            {low: quantiles.p05, high: quantiles.p95, style: "most", name: "5 to 95 %"},
            {low: quantiles.p25, high: quantiles.p75, style: "middle", name: "25 to 75 %"},
          ]}
          lines=${[{values: quantiles.p50, name: "median", style: "of-window"},
            ...styled.map((other) => ({values: other.quantiles?.p50 ?? other.p50 ?? [], name: other.name, style: other.style}))]} />
      </section>`}
    ${Object.keys(shares ?? {}).length > 0 && html`<${Shares} times=${times} shares=${shares} />`}
    <div class="pair">
      ${isKnown(nullRate) && html`
        <section aria-labelledby="nulls">
          <h2 id="nulls">Null rate</h2>
          <${Bands} times=${times} text=${percent} label="null rate" fromZero=${true} most=${1} lines=${all(nullRate, deployment, "null_rate")} />
        </section>`}
      ${isKnown(psi) && html`
        <section aria-labelledby="drift">
          <h2 id="drift">Drift (PSI)</h2>
          <${Bands} times=${times} text=${number} label="population stability index" fromZero=${true}
            limits=${[{value: DRIFT, name: "limit"}]} lines=${all(psi, deployment, "psi")} />
          <p class="soft">The red line is ${DRIFT}: more is a drift. Steps of fewer than 30 rows have none.</p>
        </section>`}
      ${(psi ?? []).length > 0 && !isKnown(psi) && html`<p class="soft">No drift over time: no step has 30 rows.</p>`}
    </div>`;
}

/** The share of each of the most frequent values. */
function Shares({times, shares}) {
  const entries = Object.entries(shares).slice(0, MOST_SHARES);
  return html`
    <section aria-labelledby="shares">
      <h2 id="shares">Shares over time</h2>
      <div class="small-multiples">
        ${entries.map(([value, values]) => html`<div>
          <h3><${Text} value=${value} /></h3>
          <${Bands} times=${times} text=${percent} label="share of ${value}" fromZero=${true} most=${1} height=${80}
            lines=${[{values, name: "share", style: "of-window"}]} />
        </div>`)}
      </div>
    </section>`;
}
