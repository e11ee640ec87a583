// Keys of the page. A component names its keys while it is shown; the last one that names a key has it.
import {useLayoutEffect, useRef} from "./html.js";

const FIRST_OF_TWO_MILLISECONDS = 1000;
const owners = [];
let first = null;

const isTyping = (target) => target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName));

/** `keys` is {"j": function, "g h": function}; a function that returns false leaves the key to the one before. */
export function useKeys(keys, isOn = true) {
  const latest = useRef(keys);
  latest.current = keys;
  useLayoutEffect(() => { // with the first picture, not after it
    if (!isOn) return undefined;
    const owner = {get keys() { return latest.current; }};
    owners.push(owner);
    return () => owners.splice(owners.indexOf(owner), 1);
  }, [isOn]);
}

window.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return; // it has its own: Esc closes it
  if (isTyping(event.target) && event.key !== "Escape") return;
  // Enter and space belong to a link or a button that has the focus.
  if ((event.key === "Enter" || event.key === " ") && event.target.closest?.("a, button, summary")) return;
  const both = first && event.timeStamp - first.at < FIRST_OF_TWO_MILLISECONDS ? `${first.key} ${event.key}` : null;
  for (const name of both ? [both, event.key] : [event.key]) {
    for (const owner of [...owners].reverse()) {
      if (owner.keys[name] && owner.keys[name](event) !== false) {
        event.preventDefault();
        first = null;
        return;
      }
    }
  }
  first = event.key.length === 1 ? {key: event.key, at: event.timeStamp} : null;
});
