// What a screen shows instead of data: that it loads, an error in a sentence, or what to do to get data.
import {html} from "../html.js";
import {CopyButton} from "./copy_button.js";

/** A place that is filled soon; it has the size of what comes, if `lines` says it. */
export const Loading = ({lines = 3}) => html`
  <div class="loading" role="status" aria-label="Loading">${Array.from({length: lines}, (_, n) => html`<div class="bone" key=${n}></div>`)}</div>`;

/** An error as a sentence, with a button that asks again. */
export const Failure = ({error, again}) => html`
  <div class="failure" role="alert">
    <p><bdi>${error.message}</bdi></p>
    ${again && html`<button type="button" onClick=${() => again()}>Try again</button>`}
  </div>`;

/** A screen that there is not. */
export const Missing = () => html`
  <div class="empty"><h1>No such screen</h1><p>The address names none of Studio's screens. <a href="#/home">Home</a> lists the collections.</p></div>`;

/** An empty state: what is missing, and lines that change it; one of {say} is a sentence before the next ones. */
export const Empty = ({title, children, lines}) => html`
  <div class="empty">
    <h2>${title}</h2>
    ${children}
    ${(lines ?? []).map((line) => line.say ? html`<p key=${line.say}>${line.say}</p>` : html`<div class="line" key=${line}><pre><code>${line}</code></pre><${CopyButton} text=${line} /></div>`)}
  </div>`;
