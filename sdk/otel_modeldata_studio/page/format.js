// Numbers, times and sizes as text. Times are UTC, as in the store.
const COUNT = new Intl.NumberFormat("en-US");
const COMPACT = new Intl.NumberFormat("en-US", {notation: "compact", maximumSignificantDigits: 3});
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const SPANS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

/** 1234567 as "1,234,567"; a dash where there is none. An integer that JavaScript cannot hold comes as text. */
export const count = (value) => value === null || value === undefined ? "–" : typeof value === "number" ? COUNT.format(value) : String(value);

/** A number of rows in words. */
export const rowCount = (value) => `${count(value)} ${value === 1 ? "row" : "rows"}`;

/** 1234567 as "1.23M". */
export const compact = (value) => value === null || value === undefined ? "–" : COMPACT.format(value);

/** Bytes as "1.2 MiB". */
export function bytes(value) {
  if (value === null || value === undefined) return "–";
  let unit = 0;
  let left = value;
  while (left >= 1024 && unit < UNITS.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${unit === 0 || left >= 100 ? Math.round(left) : left.toFixed(1)} ${UNITS[unit]}`;
}

/** What an answer does not have yet, in words; empty if it has all. */
export const leftToRead = (pending) => pending > 0 ? `${bytes(pending)} of lines still to read` : "";

/** A number with about four digits, as in an axis; texts such as "NaN" stay. */
export function number(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return COUNT.format(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

/** A population stability index with at most three digits. */
export const index = (value) => Number.isInteger(value) || value >= 100 ? count(Math.round(value)) : value >= 1 ? value.toPrecision(3) : value < 0.0005 ? "<0.001" : String(Number(value.toFixed(3)));

/** A share as "12.3 %". */
export const percent = (share) => share === null || share === undefined ? "–" : share === 0 ? "0 %" : `${share > 0 && share < 0.001 ? "<0.1" : (share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

const MOMENT = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d*?)0*)?(Z|[+-]\d\d:?\d\d)?$/;
const isUtc = (zone) => zone === undefined || /^(Z|[+-]00:?00)$/.test(zone);

/** "2026-11-29T10:43:52.123Z" as "2026-11-29 10:43:52"; `parts` "time" or "minute" leaves out more. */
export function time(iso, parts = "second") {
  if (!iso) return "–";
  const [, date, clock, , zone] = MOMENT.exec(iso) ?? [];
  if (date === undefined) return String(iso);
  const shown = parts === "time" ? clock : `${date} ${parts === "minute" ? clock.slice(0, 5) : clock}`;
  return isUtc(zone) ? shown : `${shown} ${zone}`;
}

/** A time of the data: as `time`, with all its digits of a second. */
export function moment(iso) {
  const fraction = MOMENT.exec(iso)?.[3];
  return fraction ? time(iso).replace(/(?<=:\d\d:\d\d)/, `.${fraction}`) : time(iso);
}

/** A date as the ISO text that the server takes. */
export const iso = (date) => new Date(date).toISOString().replace(/\.\d+Z$/, "Z");

/** Seconds as "3 h"; two units where the first is small. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  const size = Math.max(0, seconds);
  for (const [length, unit] of SPANS) {
    if (size >= length) return `${Math.floor(size / length)} ${unit}`;
  }
  return size === 0 ? "0 s" : `${Math.round(size * 1000)} ms`;
}

/** How long ago, as "3 h ago". */
export function age(text, now = Date.now()) {
  if (!text) return "never";
  const seconds = (now - Date.parse(text)) / 1000;
  return seconds < -1 ? `in ${duration(-seconds)}` : seconds < 1 ? "now" : `${duration(seconds)} ago`;
}

/** A text as one word of a shell. */
export const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Milliseconds as "12.3 ms". */
export const milliseconds = (value) => value === null || value === undefined ? "–" : !Number.isFinite(value) ? String(value) : value >= 10000 ? `${(value / 1000).toFixed(1)} s` : `${value < 100 ? Number(Number(value).toPrecision(3)) : Math.round(value)} ms`;

/** The name of a column without its role: `inputs.age` is `age`. */
export const ownName = (column) => column.replace(/^(inputs|outputs|labels)\./, "");

/** A cell of a row as text: what is missing, cut or binary says so; `kind` is that of its column. */
export function cell(value, kind) {
  if (value === null || value === undefined) return "null";
  if (value === "") return "(empty)";
  if (typeof value === "object") {
    if ("cut" in value) return `${value.cut}…`;
    if ("bytes" in value) return `${bytes(value.bytes)} of bytes`;
    return JSON.stringify(value);
  }
  if (kind === "time") return moment(String(value));
  return typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(7))) : String(value);
}

/** How many different values free texts have, which are not shown one by one; null is more than were counted. */
export const different = (distinct) => distinct === 0 ? "no value in this window" : distinct === null || distinct === undefined ? "very many different values" : distinct === 1 ? "one value" : `${count(distinct)} different values`;
