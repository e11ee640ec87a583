// To come.
import {html} from "../html.js";

export default () => html`<div class="empty"><h1>request</h1></div>`;
