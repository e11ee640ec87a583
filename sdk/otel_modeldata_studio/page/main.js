// The page: its frame, and the screen that the URL names. Screens are loaded when they are first shown.
import {html, render, useEffect, useErrorBoundary, useState} from "./html.js";
import {useAnswer, useTicks} from "./api.js";
import {Frame} from "./components/frame.js";
import {Failure, Loading, Missing} from "./components/message.js";
import {useLocation} from "./state.js";
import {applyTheme} from "./theme.js";

const SCREENS = {
  home: () => import("./screens/home.js"),
  explore: () => import("./screens/explore.js"),
  collection: () => import("./screens/collection.js"),
  request: () => import("./screens/request.js"),
  feature: () => import("./screens/feature.js"),
  performance: () => import("./screens/performance.js"),
  health: () => import("./screens/health.js"),
};
const ABOUT_SECONDS = 60;
const MOST_TITLE = 120;

/** The component of a screen, once its module is there. */
function useScreen(name) {
  const [found, setFound] = useState({});
  useEffect(() => {
    let isWanted = true;
    SCREENS[name]?.().then(
      (module) => {
        if (isWanted) setFound({name, component: module.default});
        // The others, too: a click shows them at once, also after the server has gone.
        for (const load of Object.values(SCREENS)) load().catch(() => {});
      },
      (error) => isWanted && setFound({name, error}),
    );
    return () => { isWanted = false; };
  }, [name]);
  return found.name === name ? found : {};
}

/** Draws a screen; an error in it does not take the frame with it. */
function Guarded({component: Screen, location, about}) {
  const [error, reset] = useErrorBoundary((caught) => console.error(caught));
  useEffect(() => reset(), [location.screen]);
  if (error) return html`<${Failure} error=${new Error("This screen has an error. Load the page again, and report what the console says.")} />`;
  return html`<${Screen} location=${location} about=${about} />`;
}

function App() {
  const location = useLocation();
  const about = useAnswer("about", {}, {version: useTicks(ABOUT_SECONDS)});
  const {component, error} = useScreen(location.screen);
  useEffect(() => applyTheme(location.query.theme), [location.query.theme]);
  useEffect(() => {
    const place = location.parts.join("/").slice(0, MOST_TITLE);
    document.title = `${location.screen[0].toUpperCase()}${location.screen.slice(1)}${place ? ` ${place}` : ""} · Studio`;
  }, [location.screen, location.parts.join("/")]);
  const isReady = !(location.screen in SCREENS) || Boolean(error || about.error || (component && about.answer));
  let screen;
  if (!(location.screen in SCREENS)) screen = html`<${Missing} />`;
  else if (error) screen = html`<${Failure} error=${new Error("A file of the page could not be loaded. Load the page again.")} />`;
  else if (about.error && !about.answer) screen = html`<${Failure} error=${about.error} again=${about.again} />`;
  else if (!component || !about.answer) screen = html`<${Loading} />`;
  else screen = html`<${Guarded} component=${component} location=${location} about=${about.answer} />`;
  return html`<${Frame} location=${location} about=${about.answer} isReady=${isReady}>${screen}<//>`;
}

applyTheme(new URLSearchParams(window.location.hash.split("?")[1] ?? "").get("theme"));
render(html`<${App} />`, document.getElementById("app"));
