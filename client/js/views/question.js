/** A question with two answers, over the page. */

import { h, newId } from "../dom.js";

/** True where the user said yes. Escape means no. */
export function question({ title, text, yes, no = "Not now" }) {
  const id = newId("question");
  const agree = h("button", { value: "yes", class: "primary" }, yes);
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id }, title),
    h("p", {}, text),
    h("div", { class: "row end" }, h("button", { value: "no", class: "quiet" }, no), agree),
  );
  const dialog = h("dialog", { "aria-labelledby": id }, form);
  document.body.append(dialog);
  dialog.showModal();
  agree.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
