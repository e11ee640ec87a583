// One column in the rail: its histogram or its commonest values, against the baseline; clicks filter.
import {html} from "../html.js";
import {Ticks, rangeText} from "../charts/bins.js";
import {Histogram} from "../charts/histogram.js";
import {binsOf, valuesOf, withNull, withRange, withValue} from "../filters.js";
import {count, different, index, ownName, percent, rowCount} from "../format.js";
import {link} from "../state.js";
import {visible} from "./value.js";

export const FACET_HEIGHT = 106;
const SHOWN_VALUES = 4;
const DRIFTED = 0.2;

const shareOf = (part, counts) => {
  const total = counts.reduce((sum, one) => sum + (one ?? 0), 0);
  return total > 0 ? (part ?? 0) / total : 0;
};

function Values({facet, filters, change}) {
  const {column, kind, values, other, distinct} = facet;
  const chosen = valuesOf(filters, column);
  const all = [...values.map((one) => one.count), other];
  const hasBaseline = values.some((one) => one.baseline !== null && one.baseline !== undefined);
  const before = [...values.map((one) => one.baseline), facet.other_baseline];
  return html`
    <ul class="values">
      ${values.slice(0, kind === "text" ? SHOWN_VALUES - 1 : SHOWN_VALUES).map(({value, count: rows, baseline}) => {
        const share = shareOf(rows, all);
        const text = value === null ? "null" : value === "" ? "(empty)" : String(value);
        return html`
          <li key=${text}>
            <button type="button" class=${chosen && !chosen.includes(value) ? "is-out" : ""} aria-pressed=${chosen?.includes(value) ?? false}
              onClick=${() => change(withValue(filters, column, value))} title=${`${visible(text.slice(0, 200))}: ${rowCount(rows)}`}>
              <svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
                <rect class="window" width=${share} height="1" />
                ${hasBaseline && html`<rect class="baseline" x=${Math.max(0, shareOf(baseline, before) - 0.005)} width="0.01" height="1" />`}
              </svg>
              <bdi>${visible(text.slice(0, 60))}</bdi><span>${percent(share)}</span>
            </button>
          </li>`;
      })}
      ${kind === "text" && html`<li class="soft">${different(distinct)}</li>`}
      ${kind !== "text" && values.length === 0 && html`<li class="soft">no value in this window</li>`}
    </ul>`;
}

function Bins({facet, filters, change}) {
  const {column, bins} = facet;
  if (bins.length === 0) return html`<p class="soft">no value in this window</p>`;
  const total = bins.reduce((sum, bin) => sum + bin.count, 0);
  return html`
    <${Histogram} bins=${bins} selected=${binsOf(filters, column, bins)} label=${`${ownName(column)}: ${count(total)} values from ${rangeText(bins, 0, bins.length - 1)}`}
      choose=${(first, last) => change(withRange(filters, column, bins, first, last))} />
    <${Ticks} bins=${bins} />`;
}

/** `facet` is null while it is loaded; `change` takes the new filters; `edit` opens the form of exact ends. */
export function Facet({column, facet, filters, change, edit, endpoint}) {
  const isFiltered = filters.some((one) => one.column === column.name);
  return html`
    <section class=${`facet${isFiltered ? " is-filtered" : ""}`} aria-label=${ownName(column.name)}>
      <header>
        <span class="who">
          <a href=${link("feature", [...endpoint, column.name])} title=${`${column.name} · ${column.type ?? column.kind}`}><bdi>${visible(ownName(column.name))}</bdi></a>
          <span class="role">${column.role}</span>
        </span>
        ${facet?.nulls > 0 && html`
          <button type="button" class="tiny" aria-pressed=${filters.some((one) => one.column === column.name && one.op === "null")}
            onClick=${() => change(withNull(filters, column.name, "null"))} title=${`${count(facet.nulls)} nulls: show only these`}>${percent(facet.nulls / Math.max(1, facet.rows))} null</button>`}
        ${facet?.psi !== null && facet?.psi !== undefined && html`<span class=${facet.psi >= DRIFTED && facet.kind !== "time" ? "psi alarm-text" : "psi soft"} title=${facet.kind === "time" ? "Population stability index against the baseline: later times are always others" : "Population stability index against the baseline; from 0.2 on it has changed"}>${index(facet.psi)}</span>`}
        <button type="button" class="tiny plain" aria-label=${`Filter ${ownName(column.name)}`} title="Filter by exact values" onClick=${() => edit(column)}>⋯</button>
      </header>
      ${facet === null ? html`<div class="bone tall"></div>`
        : ["number", "integer", "time"].includes(facet.kind) ? html`<${Bins} facet=${facet} filters=${filters} change=${change} />`
          : html`<${Values} facet=${facet} filters=${filters} change=${change} />`}
    </section>`;
}
