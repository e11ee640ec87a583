// The rail of columns. Only those that are seen are drawn, and asked for: a deployment may have hundreds.
import {html, useEffect, useMemo, useRef, useState} from "../html.js";
import {ask, useAnswer} from "../api.js";
import {Facet, FACET_HEIGHT} from "./facet.js";
import {Failure} from "./message.js";
import {go} from "../state.js";
import {useVisible} from "./visible.js";

const BATCH = 20;
/** Of a column that the window does not have. */
const NOTHING = {kind: "text", rows: 0, nulls: 0, bins: [], values: [], other: 0, psi: null, sample: 1};

/** Facets of columns that the first answer leaves out, asked for when they are seen. */
function useRest(parameters, wanted, version) {
  const key = JSON.stringify([parameters, version]);
  const [found, setFound] = useState({key, facets: new Map()});
  const asked = useRef({key: null, names: new Set()});
  if (asked.current.key !== key) asked.current = {key, names: new Set()};
  const missing = wanted.filter((name) => !asked.current.names.has(name)).slice(0, BATCH);
  useEffect(() => {
    if (missing.length === 0) return undefined;
    const abort = new AbortController();
    for (const name of missing) asked.current.names.add(name);
    ask("facets", {...parameters, columns: missing}, abort).then(
      ({facets}) => setFound((before) => ({key, facets: new Map([...(before.key === key ? before.facets : []), ...facets.map((facet) => [facet.column, facet])])})),
      () => { for (const name of missing) asked.current.names.delete(name); },
    );
    return undefined;
  }, [key, missing.join("\n")]);
  return found.key === key ? found.facets : new Map();
}

/**
 * `columns` of the deployment; `parameters` of the facets (deployment, since, until, f, baseline); `change` takes the
 * new filters; `edit` opens the form for one column; `after` is the end of a baseline that reaches into the window.
 */
export function FacetRail({columns, parameters, filters, change, edit, endpoint, search, version, after: end}) {
  const [find, setFind] = useState("");
  const {answer, error, isOld, again} = useAnswer("facets", parameters, {version});
  const facets = useMemo(() => new Map((answer?.facets ?? []).map((facet) => [facet.column, facet])), [answer]);
  const wanted = find.toLowerCase();
  const byName = useMemo(() => new Map(columns.map((column) => [column.name, column])), [columns]);
  // As the server sorts them: what has drifted most comes first. Then those that it has left out.
  const names = useMemo(() => [...new Set([...facets.keys(), ...columns.map(({name}) => name)])].filter((name) => byName.has(name)), [facets, byName]);
  const shown = names.filter((name) => name.toLowerCase().includes(wanted));
  const scroller = useRef(null);
  const {first, last, before, after} = useVisible(scroller, shown.length, FACET_HEIGHT);
  const seen = shown.slice(first, last);
  // Of very many columns the first answer has those that have drifted most.
  const isMore = answer !== undefined && facets.size < (answer.columns ?? 0);
  const rest = useRest(parameters, isMore ? seen.filter((name) => !facets.has(name)) : [], version);
  const sampled = (answer?.facets ?? []).find(({sample}) => sample < 1);
  const hasBaseline = (answer?.facets ?? []).some(({psi}) => psi !== null && psi !== undefined);
  return html`
    <div class="rail-head">
      <input ref=${search} type="search" placeholder=${`Find in ${names.length} columns (/)`} aria-label="Find a column" value=${find} onInput=${(event) => setFind(event.target.value)} />
      <div class="key"><span><i></i>window</span>${hasBaseline && html`<span><i class="of-baseline"></i>baseline</span><span class="end">PSI</span>`}</div>
      ${end && hasBaseline && html`<p class="soft small">The baseline is in this window, which hides a drift. <button type="button" onClick=${() => go({since: end, until: null})}>Show only what came after it</button></p>`}
      ${filters.length > 0 && hasBaseline && html`<p class="soft small">Filters choose rows of the window. The baseline is whole.</p>`}
      ${sampled && html`<p class="soft small">of ${(sampled.sample * 100).toPrecision(2)} % of the rows; a feature's page has all</p>`}
      ${error && html`<${Failure} error=${error} again=${again} />`}
    </div>
    <div class=${`facets${isOld ? " is-old" : ""}`} ref=${scroller} tabindex="0" role="region" aria-label="Columns">
      <div style=${{height: `${before}px`}}></div>
      ${seen.map((name) => html`<${Facet} key=${name} column=${byName.get(name)} facet=${facets.get(name) ?? rest.get(name) ?? (answer && !isMore ? NOTHING : null)} filters=${filters} change=${change} edit=${edit} endpoint=${endpoint} />`)}
      <div style=${{height: `${after}px`}}></div>
      ${answer && shown.length === 0 && html`<p class="soft">No column has “<bdi>${find}</bdi>” in its name.</p>`}
    </div>`;
}

