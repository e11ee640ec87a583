// Values of the data as elements. They are children, never HTML; text from right to left stays in its own place.
import {html, useState} from "../html.js";
import {bytes, count, moment, number} from "../format.js";

const SHORT = 300;
const DEEPEST = 30;
const BAD = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Text in which what cannot be seen is seen: an escape is \x1b, and what turns the direction of a text is its code. */
export function visible(text) {
  return String(text).replace(BAD, (one) => {
    const code = one.charCodeAt(0);
    if (one === "\n" || one === "\t") return one;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `[U+${code.toString(16).toUpperCase()}]`;
  });
}

/** A text of the data: a name, a value, a place. Where it is too long for a line, it breaks after a _ or /. */
export function Text({value, mono = false}) {
  const text = visible(value ?? "");
  if (text.trim() === "") return html`<bdi class="soft">${text === "" ? "(empty)" : "(spaces)"}</bdi>`;
  const parts = text.length <= SHORT ? text.split(/(?<=[_/])(?=[^_/])/) : [text];
  return html`<bdi class=${mono ? "mono" : null}>${parts.flatMap((part, at) => at > 0 ? [html`<wbr />`, part] : [part])}</bdi>`;
}

/** A cell as the API has it: a scalar, JSON of a nested value, a text that was cut, or the size of bytes. */
export function Value({value, kind}) {
  if (value === null || value === undefined) return html`<span class="soft">null</span>`;
  if (typeof value === "number") return html`<span class="figure" title=${String(value)}>${exact(value)}</span>`;
  if (typeof value === "boolean") return html`<span>${String(value)}</span>`;
  if (typeof value === "object" && "bytes" in value) return html`<span class="soft">${bytes(value.bytes)} of bytes</span>`;
  if (typeof value === "object" && "cut" in value) {
    return html`<${Long} text=${String(value.cut)} /> <span class="soft">… ${count(value.length)} characters</span>`;
  }
  const text = typeof value === "object" ? JSON.stringify(value) : value;
  if (kind === "time") return html`<span title=${text}>${moment(text).split(" ").map((part, at) => html`${at > 0 && " "}<span class="moment">${visible(part)}</span>`)}</span>`;
  return kind === "nested" ? html`<${Long} text=${text} mono=${true} />` : html`<${Long} text=${text} />`;
}

/** A number with all its digits, if they are few. */
const exact = (value) => (String(value).length <= 18 ? String(value) : number(value));

function Long({text, mono = false}) {
  const [isOpen, setOpen] = useState(false);
  if (text.length <= SHORT) return html`<${Text} value=${text} mono=${mono} />`;
  return html`<${Text} value=${isOpen ? text : `${text.slice(0, SHORT)}…`} mono=${mono} />
    <button type="button" class="inline" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${isOpen ? "less" : "more"}</button>`;
}

/** A long text in a box that scrolls, such as a body or a line. */
export function Block({text, label}) {
  return html`<pre class="block" tabindex="0" role="region" aria-label=${label}><bdi>${visible(text)}</bdi></pre>`;
}

const PARTS = /"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+/g;

/** JSON with line breaks, every number and key as it was written; another text as it is. */
export function indented(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  const shown = [];
  let depth = 0;
  const line = () => `\n${"  ".repeat(Math.min(depth, DEEPEST))}`;
  const parts = text.match(PARTS) ?? [];
  parts.forEach((part, at) => {
    if (part === "{" || part === "[") {
      depth += 1;
      shown.push(part, parts[at + 1] === "}" || parts[at + 1] === "]" ? "" : line());
    } else if (part === "}" || part === "]") {
      depth -= 1;
      shown.push(parts[at - 1] === "{" || parts[at - 1] === "[" ? part : `${line()}${part}`);
    } else if (part === ",") {
      shown.push(part, line());
    } else {
      shown.push(part === ":" ? ": " : part);
    }
  });
  return shown.join("");
}
