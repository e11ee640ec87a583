// The whole state of the page is in its URL: #/screen/part/part?name=value. The back button and a copied link work.
import {useEffect, useState} from "./html.js";

/** What goes along when a link leads to another screen. */
const CARRIED = ["since", "until", "baseline", "theme", "live"];
const listeners = new Set();

const decoded = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a % that someone typed
  }
};

/** A hash as {screen, parts, query}; every value is text. */
export function parse(hash) {
  const text = hash.replace(/^#?\/?/, "");
  const mark = text.indexOf("?");
  const path = mark < 0 ? text : text.slice(0, mark);
  const [screen, ...parts] = path.split("/").map(decoded);
  return {screen: screen || "home", parts, query: Object.fromEntries(new URLSearchParams(mark < 0 ? "" : text.slice(mark)))};
}

/** The state that the URL has now. */
export const here = () => parse(window.location.hash);

/** The link to a screen; values that are null, false or empty are left out. */
export function href(screen, parts = [], query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  const text = new URLSearchParams(kept.map(([name, value]) => [name, value === true ? "1" : String(value)])).toString();
  return `#/${[screen, ...parts].map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

/** The link to a screen that keeps the window, the baseline and how the page looks. */
export function link(screen, parts = [], query = {}) {
  const now = here().query;
  return href(screen, parts, {...Object.fromEntries(CARRIED.filter((name) => now[name]).map((name) => [name, now[name]])), ...query});
}

/** Show another URL; with `replace` the back button does not come back to this one. */
export function visit(target, {replace = false} = {}) {
  if (target === window.location.hash) return;
  window.history[replace ? "replaceState" : "pushState"](null, "", target);
  tell();
}

/** Change some values of the query; null removes one. */
export function go(patch, options) {
  const {screen, parts, query} = here();
  visit(href(screen, parts, {...query, ...patch}), options);
}

/** A list that is in the query as JSON; a list that someone broke is empty. */
export function listIn(text) {
  try {
    const found = JSON.parse(text || "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

/** The state of the URL; the component is drawn again when it changes. */
export function useLocation() {
  const [location, setLocation] = useState(here);
  useEffect(() => {
    const changed = () => setLocation(here());
    listeners.add(changed);
    changed();
    return () => listeners.delete(changed);
  }, []);
  return location;
}

function tell() {
  for (const listener of listeners) listener();
}

window.addEventListener("popstate", tell);
window.addEventListener("hashchange", tell);
