/** A dialog over the page: a heading, a close button, and its content. Escape closes it. */

import { h, newId } from "../dom.js";

/**
 * Opens it. `name` is also its class. `closed()` is called once it has gone; the focus then
 * returns to `opener`.
 */
export function modal({ opener, title, name, content, closed = () => {} }) {
  const id = newId("modal");
  const close = h("button", { class: "close", type: "button", "aria-label": "Close" }, "×");
  const dialog = h(
    "dialog",
    { class: `panel ${name}`, "aria-labelledby": id },
    h("header", { class: "row between" }, h("h2", { id }, title), close),
    h("div", { class: "panel-body" }, content),
  );
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    opener.focus();
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
