// A dialog above the page: the browser keeps the focus in it, and Esc closes it.
import {html, useEffect, useId, useRef} from "../html.js";

export function Dialog({title, close, children, wide = false}) {
  const dialog = useRef(null);
  const name = useId();
  useEffect(() => {
    dialog.current.showModal();
  }, []);
  const clicked = (event) => event.target === dialog.current && close(); // on the page behind it
  return html`
    <dialog ref=${dialog} class=${wide ? "wide" : ""} aria-labelledby=${name} onClose=${close} onClick=${clicked}>
      <div class="inside">
        <header><h2 id=${name}>${title}</h2><button type="button" class="plain" aria-label="Close" onClick=${close}>✕</button></header>
        ${children}
      </div>
    </dialog>`;
}
