// The filters that hold, each with a cross.
import {html} from "../html.js";
import {described} from "../filters.js";
import {visible} from "./value.js";

export const FilterChips = ({filters, change}) => filters.length === 0 ? null : html`
  <ul class="chips" aria-label="Filters">
    ${filters.map((filter) => html`
      <li key=${JSON.stringify(filter)}><bdi>${visible(described(filter))}</bdi><button type="button" class="tiny plain" aria-label=${`Remove: ${described(filter)}`} onClick=${() => change(filters.filter((one) => one !== filter))}>✕</button></li>`)}
    <li class="plain"><button type="button" class="plain" onClick=${() => change([])}>Remove all filters</button></li>
  </ul>`;
