// The edges of the bins of a histogram as texts. The first and the last bin are often wider than the others: what is
// outside of the baseline is in them.
import {html} from "../html.js";
import {count, moment, number, percent, time} from "../format.js";
import {finite} from "./scale.js";

const WIDE = 1.5;
const DIGITS = 3;
const DAY_MILLISECONDS = 86_400_000;
/** That fit below the narrowest histogram, that of the rail. */
const MOST_CHARACTERS = 38;
const GAP = 3;
/** Of a bin: an end that is nearer to 0 is 0. */
const NOTHING = 1e-6;

const isMoment = (value) => typeof value === "string" && /^\d{4}-\d\d-/.test(value);
const place = (value) => isMoment(value) ? Date.parse(value) : finite(value);
const widthOf = ({low, high}) => place(high) - place(low);

/** The usual width of the bins: that of the one in the middle of all. */
const usual = (bins) => bins.map(widthOf).sort((a, b) => a - b)[bins.length >> 1];
const isWide = (bins, bin) => bins.length > 2 && widthOf(bin) > WIDE * usual(bins);

/** A time without what is the same at all edges: the year, or the time of the day. */
function momentIn(bins) {
  const [first, last] = [bins[0].low, bins[bins.length - 1].high].map((edge) => time(edge, "minute"));
  if (usual(bins) >= DAY_MILLISECONDS) return (value) => time(value, "minute").slice(0, 10);
  return (value) => time(value, "minute").slice(first.slice(0, 4) === last.slice(0, 4) ? 5 : 0);
}

const decimalsOf = (step) => Math.min(100, Math.max(0, DIGITS - 2 - Math.floor(Math.log10(step))));

/** A function that makes texts of edges, with as many digits as tell the bins apart. */
function textIn(bins) {
  if (isMoment(bins[0].low)) return momentIn(bins);
  const step = usual(bins);
  const decimals = step > 0 ? decimalsOf(step) : 0;
  return (value) => {
    const found = typeof value === "number" ? value : null;
    return number(found === null || !(step > 0) || Math.abs(found) >= 1e15 ? value : Number(found.toFixed(decimals)));
  };
}

/** A function that makes texts of the least and the most value, in which three digits of the value itself are, too. */
function endIn(bins) {
  const text = textIn(bins);
  const step = usual(bins);
  return (value) => {
    const size = Math.abs(value);
    if (typeof value !== "number" || !(step > 0) || size < step * NOTHING || size >= 100) return text(value);
    return number(Number(value.toFixed(Math.min(100, Math.max(DIGITS - 1 - Math.floor(Math.log10(size)), decimalsOf(step))))));
  };
}

/** A filter of a range of bins. One at an end that holds everything beyond it has no limit there, as its text says. */
export function filterOf(column, bins, first, last = first) {
  const end = bins.length - 1;
  const low = first === 0 && isWide(bins, bins[0]) ? null : bins[first].low;
  const high = last === end && isWide(bins, bins[end]) ? null : bins[last].high;
  if (low === null && high === null) return {column, op: "not_null"};
  return {column, op: "between", low, high, ...(last === end && high !== null ? {closed: true} : {})};
}

/** A range of bins in words, exactly: "211 to 16,440". */
export function rangeText(bins, first, last = first) {
  return `${exact(bins[first].low)} to ${exact(bins[last].high)}`;
}

function exact(value) {
  if (isMoment(value)) return moment(value);
  return typeof value !== "number" || Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(6)));
}

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
  const end = endIn(bins);
  const last = bins.length - 1;
  const isTime = isMoment(bins[0].low);
  const ends = [
    isWide(bins, bins[0]) ? `${isTime ? "before" : "below"} ${text(bins[0].high)}` : end(bins[0].low),
    isWide(bins, bins[last]) ? `${text(bins[last].low)} and ${isTime ? "later" : "above"}` : end(bins[last].high),
  ];
  const inner = Array.from({length: steps - 1}, (_, n) => Math.round(bins.length * (n + 1) / steps)).filter((at, n, all) => at > 1 && at < last && at !== all[n - 1]);
  const texts = [...ends, ...inner.map((at) => text(bins[at].low))];
  const hasRoom = texts.reduce((sum, one) => sum + one.length, 0) + GAP * inner.length <= MOST_CHARACTERS;
  return [
    {share: 0, text: ends[0], side: "right"},
    ...(hasRoom ? inner : []).map((at) => ({share: at / bins.length, text: text(bins[at].low), side: "center"})),
    {share: 1, text: ends[1], side: "left"},
  ];
}

/** The line of texts below a histogram. */
export const Ticks = ({bins, steps}) => html`
  <div class=${`ends of-${steps ?? 2}`}>${ticksOf(bins, steps).map(({share, text, side}) => html`<span class=${side === "center" ? "at" : null} style=${side === "center" ? {left: `${share * 100}%`} : null}>${text}</span>`)}</div>`;
