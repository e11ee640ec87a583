// Values over time: bands between two series, lines, and limits. Null is a hole.

import {html, useState} from "../html.js";
import {time} from "../format.js";
import {finite, levels} from "./scale.js";

const WIDE = 1000;
const PIXELS_OF_STEP = 28;

/**
 * @param {object} props
 * @param {string[]} props.times the beginning of each step, ISO UTC.
 * @param {{low: (number|null)[], high: (number|null)[], style: string, name: string}[]} [props.bands]
 * @param {{values: (number|null)[], style: string, name: string}[]} props.lines
 * @param {{value: number, name: string}[]} [props.limits] horizontal lines.
 * @param {(value: number) => string} props.text of a value.
 * @param {string} props.label what the chart shows.
 * @param {boolean} [props.fromZero] whether 0 is the lowest value.
 * @param {number} [props.most] the highest value that the axis may have, such as 1 of a share.
 * @param {number} [props.height] in pixels.
 */
export function Bands({times, bands = [], lines, limits = [], text, label, fromZero = false, most, height = 150}) {
  const [at, setAt] = useState(null);
  const series = [...bands.flatMap((band) => [band.low, band.high]), ...lines.map((line) => line.values)];
  const values = series.flat().map(finite).filter((value) => value !== null);
  if (times.length === 0 || values.length === 0) {
    return html`<p class="soft">No values in this window.</p>`;
  }
  const shownLimits = limits.filter((limit) => limit.value <= 2 * Math.max(...values) || fromZero);
  const ticks = ticksOf([...values, ...shownLimits.map((limit) => limit.value)], fromZero, most, Math.max(2, Math.floor(height / PIXELS_OF_STEP)));
  const [low, high] = [ticks[0], ticks[ticks.length - 1]];
  const x = (index) => (times.length === 1 ? WIDE / 2 : (index / (times.length - 1)) * WIDE);
  const y = (value) => height - ((value / 2 - low / 2) / (high / 2 - low / 2)) * height; // halves: no difference is infinite
  const point = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    setAt(Math.max(0, Math.min(times.length - 1, Math.round(((event.clientX - box.left) / box.width) * (times.length - 1)))));
  };
  return html`
    <figure class="bands">
      <div class="plot">
        <div class="ticks" aria-hidden="true">
          ${[...ticks].reverse().map((tick) => html`<span>${text(tick)}</span>`)}
        </div>
        <svg viewBox="0 0 ${WIDE} ${height}" height=${height} preserveAspectRatio="none" role="img"
          aria-label="${label}: ${summary(times, lines, text)}" onPointerMove=${point} onPointerLeave=${() => setAt(null)}>
          ${ticks.map((tick) => html`<line class="rule" x1="0" x2=${WIDE} y1=${y(tick)} y2=${y(tick)} />`)}
          ${bands.map((band) => html`<path class=${band.style} d=${area(band, x, y)} />`)}
          ${shownLimits.map((limit) => html`<line class="limit-line" x1="0" x2=${WIDE} y1=${y(limit.value)} y2=${y(limit.value)} />`)}
          ${lines.map((line) => html`
            <path class="line ${line.style}" d=${path(line.values, x, y)} /><path class="dots ${line.style}" d=${dots(line.values, x, y)} />`)}
          ${at !== null && html`<line class="cursor" x1=${x(at)} x2=${x(at)} y1="0" y2=${height} />`}
        </svg>
      </div>
      <figcaption>
        ${at === null
          ? html`<span>${time(times[0], "minute")}</span><span>${time(times[times.length - 1], "minute")}</span>`
          : html`<span>${time(times[at], "minute")}</span><span class="readout">${readout(at, bands, lines, text)}</span>`}
      </figcaption>
    </figure>`;
}

/** The names and marks of lines and bands. */
export function Key({entries}) {
  return html`<p class="key">${entries.map((entry) => html`<span><i class=${entry.style}></i>${entry.name}</span>`)}</p>`;
}

function ticksOf(values, fromZero, most, steps) {
  let low = fromZero ? Math.min(0, ...values) : Math.min(...values);
  let high = Math.max(...values);
  if (low === high) {
    const room = Math.abs(low) / 2 || 1;
    [low, high] = [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
  }
  const ticks = levels(low, high, Math.min(steps, 5));
  return most === undefined ? ticks : ticks.filter((tick) => tick <= most);
}

function path(values, x, y) {
  const parts = [];
  let isDown = false;
  values.forEach((value, index) => {
    const shown = finite(value);
    if (shown === null) {
      isDown = false;
      return;
    }
    const place = `${x(index).toFixed(1)} ${y(shown).toFixed(2)}`;
    parts.push(`${isDown ? "L" : "M"}${place}`);
    isDown = true;
  });
  return parts.join("");
}

/** Values between two holes: each is a line without length, of which the round caps are seen. */
function dots(values, x, y) {
  const known = values.map(finite);
  const isAlone = (value, index) => value !== null && (known[index - 1] ?? null) === null && (known[index + 1] ?? null) === null;
  return known.map((value, index) => (isAlone(value, index) ? `M${x(index).toFixed(1)} ${y(value).toFixed(2)}h.01` : "")).join("");
}

function area(band, x, y) {
  const parts = [];
  let run = [];
  const close = () => {
    if (run.length > 0) {
      const wide = run.length === 1 ? 2 : 0;
      const top = run.map(([index, , high]) => `${(x(index) - wide).toFixed(1)} ${y(high).toFixed(2)}`);
      const bottom = run.map(([index, low]) => `${(x(index) + wide).toFixed(1)} ${y(low).toFixed(2)}`).reverse();
      parts.push(`M${[...top, ...bottom].join("L")}Z`);
    }
    run = [];
  };
  band.low.forEach((value, index) => {
    const [low, high] = [finite(value), finite(band.high[index])];
    if (low === null || high === null) {
      close();
    } else {
      run.push([index, low, high]);
    }
  });
  close();
  return parts.join("");
}

function readout(at, bands, lines, text) {
  const shown = (value) => (finite(value) === null ? "none" : text(finite(value)));
  const ofBands = bands.map((band) => `${band.name} ${shown(band.low[at])} to ${shown(band.high[at])}`);
  return [...lines.map((line) => `${line.name} ${shown(line.values[at])}`), ...ofBands].join(" · ");
}

function summary(times, lines, text) {
  const parts = lines.map((line) => {
    const known = line.values.map(finite).filter((value) => value !== null);
    return known.length === 0
      ? `${line.name} has no values`
      : `${line.name} from ${text(known[0])} to ${text(known[known.length - 1])}, at least ${text(Math.min(...known))}, at most ${text(Math.max(...known))}`;
  });
  return `${time(times[0], "minute")} to ${time(times[times.length - 1], "minute")}; ${parts.join("; ")}`;
}
