// The window of time that a screen shows, when the URL does not say it: the last day that has data.
import {iso, time} from "./format.js";

const DAY_MILLISECONDS = 86_400_000;
const HOUR_MILLISECONDS = 3_600_000;

/** The window of the URL as the server takes it; null is no end. */
export const windowIn = ({since, until}) => ({since: !since || since === "all" ? null : since, until: until || null});

/** {since, until} as the server takes them; null is no end. */
export function windowOf(query, deployment, about) {
  if (query.since || query.until) return windowIn(query);
  const last = Date.parse(about.deployments.find(({name}) => name === deployment)?.last ?? "");
  if (Number.isNaN(last)) return {since: "-24h", until: null};
  return {since: iso(Math.floor((Math.min(last, Date.now()) - DAY_MILLISECONDS) / HOUR_MILLISECONDS) * HOUR_MILLISECONDS), until: null};
}

/** A time of the URL, ISO or relative like -24h, as milliseconds; NaN if it is none. */
export function moment(text, now = Date.now()) {
  const match = /^-(\d+)([smhdw])$/.exec(text ?? "");
  if (!match) return Date.parse(text ?? "");
  return now - Number(match[1]) * {s: 1000, m: 60_000, h: 3_600_000, d: DAY_MILLISECONDS, w: 7 * DAY_MILLISECONDS}[match[2]];
}

/** The end of a baseline that reaches into a window, if more of the window comes after it; else null. */
export function afterBaseline({since, until}, baseline) {
  const ends = (baseline ?? "").split("..");
  if (ends.length !== 2) return null; // a file
  const [first, last] = ends.map((end) => moment(end));
  const from = since ? moment(since) : -Infinity;
  const to = until ? moment(until) : Infinity;
  return first < to && last > from && last < to ? ends[1] : null;
}

/** A time of the URL in words: one like -24h as the time that it is now; another text as it is. */
export const momentText = (text) => {
  const found = /^(-\d|\d{4}-)/.test(text ?? "") ? moment(text) : NaN;
  return !text ? "now" : Number.isNaN(found) ? text : time(iso(found), "minute");
};

/** A baseline in words: its ends, or its file. */
export const baselineText = (baseline) => baseline.split("..").length === 2 ? baseline.split("..").map(momentText).join(" – ") : baseline;

/** The window of the same length before, as the server takes a baseline; null where the window has no beginning. */
export function windowBefore({since, until}) {
  const from = moment(since);
  const to = until ? moment(until) : Date.now();
  return Number.isNaN(from) || Number.isNaN(to) ? null : `${iso(from - (to - from))}..${iso(from)}`;
}
