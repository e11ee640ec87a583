// Pages of rows: the first, those that follow when one scrolls down, and those before when one comes back.
import {useCallback, useEffect, useRef, useState} from "../html.js";
import {ask, urlOf} from "../api.js";

const PAGE = 100;
const MOST_PAGES = 12;
const RETRY_MILLISECONDS = 2000;
const PENDING_MILLISECONDS = 700;

/**
 * {rows, columns, hasNext, hasPrevious, next(), previous(), shift, error, isLoading, isOld, pending}.
 *
 * At most twelve pages are kept. `shift` says by how many rows those that are shown have moved: {rows, at} where `at`
 * is new each time. A new `version` asks for the first page once more. `pending` is how many bytes of lines the first
 * page was answered without.
 */
export function useRowPages(parameters, version) {
  const key = urlOf("rows", parameters);
  const [state, setState] = useState({key: null, pages: [], columns: [], fresh: new Set(), shift: {rows: 0, at: 0}, error: null, pending: 0});
  const [tries, setTries] = useState(0);
  const running = useRef(null);
  const latest = useRef(state);
  latest.current = state;

  useEffect(() => {
    const abort = new AbortController();
    let timer;
    running.current?.abort.abort();
    running.current = {abort, kind: "first"};
    ask("rows", {...parameters, limit: PAGE}, abort).then(
      (page) => {
        running.current = null;
        if (page.pending > 0) timer = setTimeout(() => setTries((count) => count + 1), PENDING_MILLISECONDS);
        setState((before) => {
          const known = new Set(before.pages[0]?.rows.map(({id}) => id));
          const fresh = new Set(before.key === key && known.size > 0 ? page.rows.map(({id}) => id).filter((id) => !known.has(id)) : []);
          // Lines that are still being read come with older rows: those that one has scrolled to stay.
          if (before.key === key && before.pending > 0 && before.pages.length > 1) return {...before, pending: page.pending};
          return {key, pages: [page], columns: page.columns, fresh: before.pending > 0 ? new Set() : fresh, shift: before.shift, error: null, pending: page.pending};
        });
      },
      (error) => {
        if (error.name === "AbortError") return;
        running.current = null;
        setState((before) => ({...before, error}));
        if (error.status === 0) timer = setTimeout(() => setTries((count) => count + 1), RETRY_MILLISECONDS);
      },
    );
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [key, version, tries]);

  const more = useCallback((kind) => {
    const {pages} = latest.current;
    const token = kind === "next" ? pages[pages.length - 1]?.next : pages[0]?.previous;
    if (!token || running.current || latest.current.key !== key || latest.current.error) return;
    const abort = new AbortController();
    running.current = {abort, kind};
    ask("rows", {...parameters, limit: PAGE, [kind === "next" ? "after" : "before"]: token}, abort).then(
      (page) => {
        running.current = null;
        setState((before) => {
          if (before.key !== key) return before;
          const all = kind === "next" ? [...before.pages, page] : [page, ...before.pages];
          const left = all.length <= MOST_PAGES ? all : kind === "next" ? all.slice(-MOST_PAGES) : all.slice(0, MOST_PAGES);
          const moved = kind === "previous" ? page.rows.length : all[0] !== left[0] ? -all[0].rows.length : 0;
          return {...before, pages: left, fresh: new Set(), shift: moved === 0 ? before.shift : {rows: moved, at: before.shift.at + 1}};
        });
      },
      (error) => {
        running.current = null;
        if (error.name !== "AbortError") setState((before) => ({...before, error}));
      },
    );
  }, [key]);

  const {pages} = state;
  return {
    rows: pages.flatMap((page) => page.rows),
    columns: state.columns, fresh: state.fresh, shift: state.shift, error: state.error,
    hasNext: Boolean(pages[pages.length - 1]?.next), hasPrevious: Boolean(pages[0]?.previous),
    isLoading: state.key === null && !state.error, isPending: state.pending > 0, pending: state.pending, isOld: state.key !== null && state.key !== key,
    next: useCallback(() => more("next"), [more]), previous: useCallback(() => more("previous"), [more]),
    again: () => { setState((before) => ({...before, error: null})); setTries((count) => count + 1); },
  };
}
