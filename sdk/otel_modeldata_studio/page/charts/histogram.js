// The histogram of a column: the window filled, the baseline as an outline, both as shares of their own rows.
import {html, useRef, useState} from "../html.js";
import {binText} from "./bins.js";

const shares = (counts) => {
  const total = counts.reduce((sum, count) => sum + (count ?? 0), 0);
  return counts.map((count) => total > 0 ? (count ?? 0) / total : 0);
};

/** The outline of bars as the points of a polygon. */
const outline = (heights, most) => `0,1 ${heights.map((height, n) => `${n},${1 - height / most} ${n + 1},${1 - height / most}`).join(" ")} ${heights.length},1`;

/**
 * `bins`: [{low, high, count, baseline}]; `selected`: [first, last] bin or null; `choose(first, last)`: called after a
 * click or a drag over bins, if it is given.
 */
export function Histogram({bins, label, selected = null, choose = null, height = 46}) {
  const [drag, setDrag] = useState(null);
  const element = useRef(null);
  const window = shares(bins.map((bin) => bin.count));
  const baseline = bins.some((bin) => bin.baseline !== null && bin.baseline !== undefined) ? shares(bins.map((bin) => bin.baseline)) : null;
  const most = Math.max(1e-9, ...window, ...(baseline ?? []));
  const binAt = (event) => {
    const box = element.current.getBoundingClientRect();
    return Math.min(bins.length - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * bins.length)));
  };
  const down = (event) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const at = binAt(event);
    setDrag([at, at]);
  };
  const move = (event) => drag && setDrag([drag[0], binAt(event)]);
  const up = () => {
    if (!drag) return;
    setDrag(null);
    choose(Math.min(...drag), Math.max(...drag));
  };
  const shown = drag ? [Math.min(...drag), Math.max(...drag)] : selected;
  const listeners = choose ? {onPointerDown: down, onPointerMove: move, onPointerUp: up, onPointerCancel: () => setDrag(null)} : {};
  return html`
    <svg ref=${element} class=${`histogram${choose ? " can-choose" : ""}`} role="img" aria-label=${label} height=${height}
      viewBox=${`0 0 ${bins.length} 1`} preserveAspectRatio="none" ...${listeners}>
      ${shown && html`<rect class="chosen" x=${shown[0]} width=${shown[1] - shown[0] + 1} y="0" height="1" />`}
      ${window.map((height, n) => height > 0 && html`<rect key=${n} class=${!shown || (n >= shown[0] && n <= shown[1]) ? "window" : "faint"}
        x=${n + 0.04} width="0.92" y=${1 - Math.max(0.02, height / most)} height=${Math.max(0.02, height / most)} />`)}
      ${baseline && html`<polygon class="outline hollow" points=${outline(baseline, most)} />`}
      <line class="rule" x1="0" x2=${bins.length} y1="1" y2="1" />
      ${bins.map((_, n) => html`<rect key=${`of-${n}`} class="hit" x=${n} width="1" height="1"><title>${binText(bins, n)}</title></rect>`)}
    </svg>`;
}
