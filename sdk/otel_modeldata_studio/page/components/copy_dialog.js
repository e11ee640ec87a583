// What is shown, as lines that get it elsewhere: Python, SQL, a command.
import {html} from "../html.js";
import {useAnswer} from "../api.js";
import {CopyButton} from "./copy_button.js";
import {Dialog} from "./dialog.js";
import {Failure, Loading} from "./message.js";

const FORMS = [["python", "Python"], ["sql", "SQL"], ["command", "Command"]];

export function CopyDialog({parameters, close}) {
  const {answer, error, again} = useAnswer("copy", parameters);
  return html`
    <${Dialog} title="Copy what is shown" close=${close} wide>
      ${error && html`<${Failure} error=${error} again=${again} />`}
      ${!answer && !error && html`<${Loading} />`}
      ${answer && FORMS.map(([name, title]) => html`
        <section key=${name}><h3>${title}</h3><div class="line"><pre tabindex="0"><code>${answer[name]}</code></pre><${CopyButton} text=${answer[name]} label=${`Copy ${title}`} /></div></section>`)}
    <//>`;
}
