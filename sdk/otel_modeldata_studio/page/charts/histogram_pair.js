// The values of one column: the window filled, the baseline as an outline. Each bin or value is a link to its rows.

import {html} from "../html.js";
import {count, different, percent, rowCount} from "../format.js";
import {Text} from "../components/value.js";
import {Ticks, binText, filterOf} from "./bins.js";

const WIDE = 1000;
const MOST_VALUES = 30;
const STEPS = 4;

/**
 * @param {object} props
 * @param {object} props.facet as the API has it: `bins` or `values`.
 * @param {(filter: object) => string} [props.hrefOf] the address of the rows of a filter.
 * @param {number} [props.height] in pixels.
 */
export function HistogramPair({facet, hrefOf, height = 160}) {
  if (facet.bins?.length > 0) {
    return html`<${Bins} facet=${facet} hrefOf=${hrefOf} height=${height} />`;
  }
  if (facet.values?.length > 0) {
    return html`<${Values} facet=${facet} hrefOf=${hrefOf} />`;
  }
  if (facet.kind === "text" && facet.distinct !== 0) {
    return html`<p class="soft">Free texts: ${different(facet.distinct)}. They are not compared.</p>`;
  }
  return html`<p class="soft">No values in this window.</p>`;
}

function Bins({facet, hrefOf, height}) {
  const {bins, column} = facet;
  const window = shares(bins.map((bin) => bin.count));
  const hasBaseline = bins.some((bin) => bin.baseline !== null && bin.baseline !== undefined);
  const baseline = hasBaseline ? shares(bins.map((bin) => bin.baseline ?? 0)) : [];
  const most = Math.max(...window, ...baseline, 1e-9);
  const width = WIDE / bins.length;
  return html`
    <figure class="distribution">
      <svg viewBox="0 0 ${WIDE} ${height}" height=${height} preserveAspectRatio="none" role="group"
        aria-label="distribution of ${column}">
        <line class="rule" x1="0" x2=${WIDE} y1=${height} y2=${height} />
        ${hasBaseline && html`<path class="outline" d=${steps(baseline, most, height)} />`}
        ${bins.map((bin, at) => {
          const tall = (window[at] / most) * height;
          const named = binText(bins, at);
          const bar = html`
            <title>${named}</title>
            <rect class="hit" x=${at * width} y="0" width=${width} height=${height} />
            <rect class=${hasBaseline ? "faint" : "window"} x=${at * width + width * 0.08} y=${height - tall}
              width=${width * 0.84} height=${tall} />`;
          if (!hrefOf || bin.count === 0) {
            return html`<g>${bar}</g>`;
          }
          return html`<a class="bin" href=${hrefOf(filterOf(column, bins, at))} aria-label="rows of ${named}">${bar}</a>`;
        })}
      </svg>
      <figcaption><${Ticks} bins=${bins} steps=${STEPS} /></figcaption>
    </figure>`;
}

function Values({facet, hrefOf}) {
  const shown = facet.values.slice(0, MOST_VALUES);
  const hasBaseline = facet.values.some((one) => one.baseline !== null && one.baseline !== undefined);
  const whole = facet.values.reduce((sum, one) => sum + one.count, facet.other ?? 0) || 1;
  const ofBaseline = facet.values.reduce((sum, one) => sum + (one.baseline ?? 0), 0) || 1;
  const most = Math.max(...shown.map((one) => Math.max(one.count / whole, (one.baseline ?? 0) / ofBaseline)), 1e-9);
  return html`
    <table class="values">
      <thead class="unseen"><tr>
        <th scope="col">value</th><th scope="col">bars</th><th scope="col">window</th>
        ${hasBaseline && html`<th scope="col">baseline</th>`}
      </tr></thead>
      <tbody>
        ${shown.map((one) => {
          const [share, before] = [one.count / whole, (one.baseline ?? 0) / ofBaseline];
          const isNew = hasBaseline && one.count > 0 && !one.baseline;
          const name = html`<${Text} value=${one.value} />`;
          return html`<tr>
            <th scope="row">
              ${hrefOf ? html`<a href=${hrefOf({column: facet.column, op: "in", values: [one.value]})}>${name}</a>` : name}
              ${isNew && html` <span class="alarm-text">new</span>`}
            </th>
            <td class="bar"><svg height="14" aria-hidden="true">
              <rect class="window" y="1" width="${(share / most) * 100}%" height="6" rx="1" />
              ${hasBaseline && html`<rect class="baseline" y="9" width="${(before / most) * 100}%" height="4" rx="1" />`}
            </svg></td>
            <td title=${rowCount(one.count)}>${percent(share)}</td>
            ${hasBaseline && html`<td class="soft">${percent(before)}</td>`}
          </tr>`;
        })}
      </tbody>
    </table>
    ${facet.values.length > shown.length &&
    html`<p class="soft">${count(facet.values.length - shown.length)} less frequent values are not shown.</p>`}
    ${facet.other > 0 && html`<p class="soft">All other values: ${percent(facet.other / whole)}.</p>`}`;
}

function shares(counts) {
  const whole = counts.reduce((sum, one) => sum + one, 0);
  return counts.map((one) => (whole > 0 ? one / whole : 0));
}

function steps(heights, most, height) {
  const width = WIDE / heights.length;
  const parts = heights.map((share, at) => {
    const top = (height - (share / most) * height).toFixed(1);
    return `L${(at * width).toFixed(1)} ${top}L${((at + 1) * width).toFixed(1)} ${top}`;
  });
  return `M0 ${height}${parts.join("")}L${WIDE} ${height}Z`;
}
