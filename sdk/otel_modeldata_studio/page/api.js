// Asks the server. Answers are kept for a moment, so that the back button shows at once what it asks for again.
import {useEffect, useReducer, useRef, useState} from "./html.js";

const KEPT_ANSWERS = 40;
const RETRY_MILLISECONDS = 2000;
const PENDING_MILLISECONDS = 700;
const answers = new Map();
const gone = {is: false, listeners: new Set()};
const busy = {asked: 0, listeners: new Set()};

/** An error whose message is a sentence for the user. */
export class StudioError extends Error {
  constructor(sentence, {status = 0} = {}) {
    super(sentence);
    this.status = status;
  }
}

/** The path with its parameters; a list is one parameter several times, and what is null or empty is left out. */
export function urlOf(path, parameters = {}) {
  const pairs = Object.entries(parameters).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => one !== null && one !== undefined && one !== "")
      .map((one) => [name, one === true ? "1" : one === false ? "0" : String(one)]));
  const query = new URLSearchParams(pairs).toString();
  return `api/${path}${query ? `?${query}` : ""}`;
}

/** The answer to one question; `signal` ends it. */
export async function ask(path, parameters, options) {
  setAsked(1);
  try {
    return await answerTo(path, parameters, options);
  } finally {
    setTimeout(setAsked, 0, -1); // when what came is drawn
  }
}

async function answerTo(path, parameters, {signal} = {}) {
  const url = urlOf(path, parameters);
  let response;
  try {
    response = await fetch(url, {signal, headers: {accept: "application/json"}});
  } catch (error) {
    if (error.name === "AbortError") throw error;
    setGone(true);
    throw new StudioError("Studio does not answer. Is otel-modeldata studio still running? This page asks again.");
  }
  setGone(false);
  let answer;
  try {
    answer = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new StudioError(`Studio gave an answer that cannot be read (status ${response.status}). Load the page again.`, response);
  }
  if (!response.ok) throw new StudioError(answer.error ?? `Studio could not answer (status ${response.status}).`, response);
  answers.delete(url);
  answers.set(url, answer);
  if (answers.size > KEPT_ANSWERS) answers.delete(answers.keys().next().value);
  return answer;
}

/**
 * The answer to a question while a component is shown: {answer, error, isLoading, isOld, again}.
 *
 * The answer before stays until the next one comes (`isOld`), so that nothing jumps. With `path` null nothing is asked.
 * After the server has gone it is asked again until it is there, and so it is while lines are still being read for it
 * (`pending` bytes of the answer).
 */
export function useAnswer(path, parameters = {}, {version = 0} = {}) {
  const url = path === null ? null : urlOf(path, parameters);
  const [state, setState] = useState({url: null});
  const [tries, again] = useReducer((count) => count + 1, 0);
  const asked = useRef(null);
  asked.current = parameters;
  useEffect(() => {
    if (url === null) return undefined;
    const abort = new AbortController();
    let timer;
    let isWaiting = false;
    setState((before) => answers.has(url)
      ? {url, answer: answers.get(url), isLoading: true}
      : {...before, error: null, isLoading: true});
    ask(path, asked.current, abort).then(
      (answer) => {
        setState({url, answer, isLoading: false});
        if (!(answer.pending > 0)) return;
        isWaiting = true;
        setAsked(1);
        timer = setTimeout(again, PENDING_MILLISECONDS);
      },
      (error) => {
        if (error.name === "AbortError") return;
        setState((before) => ({...before, error, isLoading: false}));
        if (error.status === 0) timer = setTimeout(again, RETRY_MILLISECONDS);
      },
    );
    return () => {
      abort.abort();
      clearTimeout(timer);
      if (isWaiting) setAsked(-1);
    };
  }, [url, version, tries]);
  return {
    answer: state.answer, error: state.error, isLoading: state.isLoading ?? url !== null,
    isOld: state.answer !== undefined && state.url !== url, again,
  };
}

/** Calls `grown({collections, at})` when the store has new lines, while `isOn`; returns whether it is connected. */
export function useGrowth(isOn, grown) {
  const [isConnected, setConnected] = useState(false);
  const latest = useRef(grown);
  latest.current = grown;
  useEffect(() => {
    if (!isOn) return undefined;
    const source = new EventSource("api/live");
    source.addEventListener("open", () => setConnected(true));
    source.addEventListener("error", () => setConnected(false)); // the browser connects again by itself
    source.addEventListener("grown", (event) => latest.current(JSON.parse(event.data)));
    return () => {
      source.close();
      setConnected(false);
    };
  }, [isOn]);
  return isConnected;
}

/** Whether the server has stopped answering. */
export function useGone() {
  const [is, setIs] = useState(gone.is);
  useEffect(() => {
    gone.listeners.add(setIs);
    return () => gone.listeners.delete(setIs);
  }, []);
  return is;
}

/** A count that grows every `seconds`, for answers that are asked again. */
export function useTicks(seconds) {
  const [ticks, tick] = useReducer((count) => count + 1, 0);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || tick(), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return ticks;
}

/** Whether the page waits for an answer. */
export function useBusy() {
  const [is, setIs] = useState(busy.asked > 0);
  useEffect(() => {
    busy.listeners.add(setIs);
    setIs(busy.asked > 0);
    return () => busy.listeners.delete(setIs);
  }, []);
  return is;
}

function setAsked(by) {
  busy.asked += by;
  for (const listener of busy.listeners) listener(busy.asked > 0);
}

function setGone(is) {
  if (gone.is === is) return;
  gone.is = is;
  for (const listener of gone.listeners) listener(is);
}
