// Twenty-four hours in the size of a word.
import {html} from "../html.js";

/** `values`: one per hour, oldest first; `label`: what it says, for those who do not see it. */
export function Sparkline({values, label}) {
  const most = Math.max(1, ...values);
  return html`
    <svg class="sparkline" role="img" aria-label=${label} viewBox=${`0 0 ${values.length} 1`} preserveAspectRatio="none">
      <title>${label}</title>
      ${values.map((value, n) => value > 0
        ? html`<rect key=${n} class="window" x=${n + 0.1} width="0.8" y=${1 - Math.max(0.06, value / most)} height=${Math.max(0.06, value / most)} />`
        : html`<rect key=${n} class="nothing" x=${n + 0.1} width="0.8" y="0.94" height="0.06" />`)}
    </svg>`;
}
