// What a screen of one deployment shows where the address names none.
import {html} from "../html.js";
import {link} from "../state.js";
import {Empty} from "./message.js";

/** The deployment that an address names, as "endpoint/deployment"; null where it names none. */
export const deploymentIn = ({parts}) => parts.length >= 2 && parts[0] && parts[1] ? `${parts[0]}/${parts[1]}` : null;

export const ChooseDeployment = ({screen, about}) => about.deployments.length === 0
  ? html`<${Empty} title="No deployment yet"><p>Nothing is stored yet: <a href=${link("home")}>Home</a> says how to begin.</p><//>`
  : html`
    <${Empty} title="Choose a deployment">
      <ul>${about.deployments.map(({name}) => html`<li key=${name}><a href=${link(screen, name.split("/"))}><bdi>${name}</bdi></a></li>`)}</ul>
    <//>`;
