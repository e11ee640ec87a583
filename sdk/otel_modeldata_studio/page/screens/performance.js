// To come.
import {html} from "../html.js";

export default () => html`<div class="empty"><h1>performance</h1></div>`;
