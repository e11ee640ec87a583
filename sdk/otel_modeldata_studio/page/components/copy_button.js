// Copies a text, and says so.
import {html, useEffect, useState} from "../html.js";

const SHOWN_MILLISECONDS = 1600;

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // not on an http address of another machine
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }
}

export function CopyButton({text, label = "Copy"}) {
  const [said, say] = useState(null);
  useEffect(() => {
    if (said === null) return undefined;
    const timer = setTimeout(() => say(null), SHOWN_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [said]);
  const click = async (event) => {
    event.stopPropagation();
    say(await copy(text) ? "Copied" : "Select and copy it");
  };
  return html`<button type="button" class="copy" onClick=${click} aria-label=${label === "Copy" ? `${label}: ${text.slice(0, 80)}` : label}><span aria-live="polite">${said ?? label}</span></button>`;
}
