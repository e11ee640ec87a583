// The edges of the bins of a histogram as texts. The first and the last bin are often wider than the others: what is
// outside of the baseline is in them.
import {html} from "../html.js";
import {count, number, percent, time} from "../format.js";
import {finite} from "./scale.js";

const WIDE = 1.5;
const DIGITS = 4;
/** That fit below the narrowest histogram, that of the rail. */
const MOST_CHARACTERS = 38;
const GAP = 3;

const place = (value) => typeof value === "string" && /^\d{4}-\d\d-/.test(value) ? Date.parse(value) : finite(value);
const widthOf = ({low, high}) => place(high) - place(low);

/** The usual width of the bins: that of the one in the middle of all. */
const usual = (bins) => bins.map(widthOf).sort((a, b) => a - b)[bins.length >> 1];
const isWide = (bins, bin) => bins.length > 2 && widthOf(bin) > WIDE * usual(bins);

/** A function that makes texts of edges, with as many digits as tell the bins apart. */
function textIn(bins) {
  const step = usual(bins);
  const decimals = step > 0 ? Math.min(100, Math.max(0, DIGITS - 2 - Math.floor(Math.log10(step)))) : 0;
  return (value) => {
    if (typeof value === "string" && /^\d{4}-\d\d-/.test(value)) return time(value, "minute");
    const found = typeof value === "number" ? value : null;
    return number(found === null || !(step > 0) || Math.abs(found) >= 1e15 ? value : Number(found.toFixed(decimals)));
  };
}

/** A range of bins in words, exactly: "211 to 16,440". */
export function rangeText(bins, first, last = first) {
  const text = (value) => place(value) === null || typeof value === "string" ? textIn(bins)(value) : exact(value);
  return `${text(bins[first].low)} to ${text(bins[last].high)}`;
}

const exact = (value) => Number.isInteger(value) && Math.abs(value) < 1e15 ? count(value) : String(Number(value.toPrecision(6)));

/** What is said of a bin: its range, its rows and their share, and the share of the baseline. */
export function binText(bins, at) {
  const total = (name) => bins.reduce((sum, bin) => sum + (bin[name] ?? 0), 0) || 1;
  const {count: rows, baseline} = bins[at];
  const before = baseline === null || baseline === undefined ? "" : `, baseline ${percent(baseline / total("baseline"))}`;
  return `${rangeText(bins, at)}: ${count(rows)} ${rows === 1 ? "row" : "rows"}, ${percent(rows / total("count"))}${before}`;
}

/**
 * The texts below a histogram whose bins are drawn equally wide, as {share, text, side}: `share` of the width from the
 * left, `side` of that place where the text is. A bin at the end that is wider than the others says so: "211 and above".
 */
export function ticksOf(bins, steps = 2) {
  const text = textIn(bins);
  const last = bins.length - 1;
  const isTime = typeof bins[0].low === "string" && place(bins[0].low) !== null && finite(bins[0].low) === null;
  const ends = [
    isWide(bins, bins[0]) ? `${isTime ? "before" : "below"} ${text(bins[0].high)}` : text(bins[0].low),
    isWide(bins, bins[last]) ? `${text(bins[last].low)} and ${isTime ? "later" : "above"}` : text(bins[last].high),
  ];
  const inner = Array.from({length: steps - 1}, (_, n) => Math.round(bins.length * (n + 1) / steps)).filter((at, n, all) => at > 1 && at < last && at !== all[n - 1]);
  const texts = [...ends, ...inner.map((at) => text(bins[at].low))];
  const hasRoom = texts.reduce((sum, one) => sum + one.length, 0) + GAP * inner.length <= MOST_CHARACTERS;
  return [
    {share: 0, text: ends[0], side: "right"},
    ...(hasRoom ? inner : []).map((at) => ({share: at / bins.length, text: text(bins[at].low), side: "middle"})),
    {share: 1, text: ends[1], side: "left"},
  ];
}

/** The line of texts below a histogram. */
export const Ticks = ({bins, steps}) => html`
  <div class="ends">${ticksOf(bins, steps).map(({share, text, side}) => html`<span class=${side} style=${side === "middle" ? {left: `${share * 100}%`} : null}>${text}</span>`)}</div>`;
