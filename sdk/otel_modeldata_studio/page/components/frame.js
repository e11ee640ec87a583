// What is around every screen: where one is, the way to the others, dark or light, and that the server is there.
import {html, useState} from "../html.js";
import {useBusy, useGone} from "../api.js";
import {useKeys} from "../keyboard.js";
import {go, link, visit} from "../state.js";
import {keepTheme, shownTheme} from "../theme.js";
import {deploymentIn} from "./choose_deployment.js";
import {KeysHelp} from "./keys_help.js";

const OF_DEPLOYMENT = [["explore", "Explore"], ["performance", "Performance"]];
/** The screens whose address begins with a deployment. */
const WITH_DEPLOYMENT = ["explore", "collection", "feature", "performance"];

/** The deployment that the URL names, as "endpoint/deployment". */
export function deploymentOf(location) {
  return (WITH_DEPLOYMENT.includes(location.screen) ? deploymentIn(location) : null) ?? location.query.deployment ?? null;
}

export function Frame({location, about, isReady, children}) {
  const [isHelping, setHelping] = useState(false);
  const isGone = useGone();
  const isBusy = useBusy();
  const deployments = about?.deployments ?? [];
  const deployment = deploymentOf(location) ?? deployments[0]?.name ?? null;
  const parts = deployment?.split("/") ?? [];
  const choose = (event) => visit(link(location.screen, [...event.target.value.split("/"), ...location.parts.slice(2)]));
  const turn = () => {
    const theme = shownTheme() === "dark" ? "light" : "dark";
    keepTheme(theme);
    go({theme}, {replace: true});
  };
  const show = (screen) => () => deployment && visit(link(screen, parts));
  useKeys({
    "?": () => setHelping(true), t: turn,
    "g h": () => visit(link("home")), "g e": show("explore"), "g r": () => visit(link("request")), "g p": show("performance"),
    "g s": () => visit(link("health", [], {deployment})),
  });
  const tab = (screen, text, target) => html`<a href=${target} aria-current=${location.screen === screen ? "page" : null}>${text}</a>`;
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>Skip to the data</a>
    <header class="frame">
      <a class="brand" href=${link("home")}>Studio</a>
      <nav aria-label="Screens">
        ${tab("home", "Home", link("home"))}
        ${deployment && OF_DEPLOYMENT.map(([screen, text]) => tab(screen, text, link(screen, parts)))}
        ${tab("request", "Request", link("request"))}
        ${tab("health", "Health", link("health", [], {deployment: deploymentOf(location)}))}
      </nav>
      ${deployments.length > 0 && WITH_DEPLOYMENT.includes(location.screen) && html`
        <select class="deployment" aria-label="Deployment" value=${deploymentIn(location) ?? ""} onChange=${choose}>
          ${!deploymentIn(location) && html`<option value="" disabled>choose</option>`}
          ${deployments.map(({name}) => html`<option key=${name} value=${name}>${name}</option>`)}
          ${deployment && !deployments.some(({name}) => name === deployment) && html`<option value=${deployment} disabled>${deployment}</option>`}
        </select>`}
      <span class="store" title=${about?.store}><bdi>${about?.store}</bdi></span>
      <button type="button" class="plain" onClick=${turn} aria-label="Dark or light" title="Dark or light (t)">◐</button>
      <button type="button" class="plain" onClick=${() => setHelping(true)} aria-label="Keys" title="Keys (?)">?</button>
    </header>
    ${isGone && html`<div class="gone" role="alert">Studio does not answer. Is <code>otel-modeldata studio</code> still running? This page asks again.</div>`}
    <main id="main" tabindex="-1" aria-busy=${isBusy || !isReady}>${children}</main>
    ${isHelping && html`<${KeysHelp} close=${() => setHelping(false)} />`}`;
}
