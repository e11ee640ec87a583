// Filters of rows: values in the URL as JSON, changed by clicks, and said in words.
import {filterOf} from "./charts/bins.js";
import {count, number, ownName, time} from "./format.js";
import {listIn} from "./state.js";

const isFilter = (one) => one && typeof one.column === "string" && typeof one.op === "string";

/** The filters of the query. */
export const filtersOf = (query) => listIn(query.f).filter(isFilter);

/** The text for the query, or null if there is none. */
export const textOf = (filters) => filters.length > 0 ? JSON.stringify(filters) : null;

/** Without those of a column. */
export const without = (filters, column) => filters.filter((one) => one.column !== column);

/** With a range of bins of a column; the same range once more takes it away. */
export function withRange(filters, column, bins, first, last) {
  const filter = filterOf(column, bins, first, last);
  const {low, high} = filter;
  const isSame = filters.some((one) => one.column === column && one.op === "between" && one.low === low && one.high === high);
  return isSame ? without(filters, column) : [...without(filters, column), filter];
}

/** With or without one value of a column. */
export function withValue(filters, column, value) {
  const before = filters.find((one) => one.column === column && one.op === "in")?.values ?? [];
  const values = before.includes(value) ? before.filter((one) => one !== value) : [...before, value];
  return values.length > 0 ? [...without(filters, column), {column, op: "in", values}] : without(filters, column);
}

/** With a filter that only says `null` or `not_null`; once more takes it away. */
export const withNull = (filters, column, op) =>
  filters.some((one) => one.column === column && one.op === op) ? without(filters, column) : [...without(filters, column), {column, op}];

/** The bins that a filter covers, as [first, last], or null. */
export function binsOf(filters, column, bins) {
  const filter = filters.find((one) => one.column === column && one.op === "between");
  if (!filter || bins.length === 0) return null;
  const inside = bins.map((bin, n) => (filter.low === null || bin.high > filter.low) && (filter.high === null || bin.low < filter.high) ? n : -1).filter((n) => n >= 0);
  return inside.length > 0 ? [inside[0], inside[inside.length - 1]] : null;
}

/** The values of a column that a filter lets pass, or null if none says so. */
export const valuesOf = (filters, column) => filters.find((one) => one.column === column && one.op === "in")?.values ?? null;

const end = (value) => typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value) ? time(value) : number(value);

/** A filter in words. */
export function described({column, op, low, high, values}) {
  const name = ownName(column);
  if (op === "null") return `${name} is null`;
  if (op === "not_null") return `${name} is not null`;
  if (op === "in") return `${name} is ${values.slice(0, 3).map((value) => value === null ? "null" : String(value).slice(0, 40)).join(" or ")}${values.length > 3 ? ` or ${count(values.length - 3)} more` : ""}`;
  if (low === null || low === undefined) return `${name} below ${end(high)}`;
  if (high === null || high === undefined) return `${name} from ${end(low)}`;
  return `${name} ${end(low)} to ${end(high)}`;
}
