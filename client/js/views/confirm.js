/** A question with two answers, over the page. */

import { h, newId } from "../dom.js";

/** True where the user said yes. Escape means no; `destroys`: yes deletes something. */
export function confirm({ title, text, yes, no = "Not now", destroys = false }) {
  const id = newId("question");
  const agree = h("button", { value: "yes", class: destroys ? "danger" : "primary" }, yes);
  const decline = h("button", { value: "no", class: "quiet" }, no);
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id }, title),
    h("p", {}, text),
    h("div", { class: "row end" }, decline, agree),
  );
  const dialog = h("dialog", { "aria-labelledby": id }, form);
  document.body.append(dialog);
  dialog.showModal();
  (destroys ? decline : agree).focus(); // so that Enter destroys nothing
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
