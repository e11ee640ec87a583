import {html} from "../html.js";

export default ({about}) => html`<div class="empty"><h1>Home</h1><p>${about.store}</p></div>`;
