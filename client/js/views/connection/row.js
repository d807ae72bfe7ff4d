/** One frame: a line that opens to all of it. */

import { h } from "../../dom.js";
import { summary } from "../../trace.js";
import { timeWithMilliseconds } from "./labels.js";

const WAYS = {
  sent: ["→", "sent"],
  received: ["←", "received"],
  connection: ["•", "connection"],
};

/** `opened()` is called when the user opens it. */
export function frameRow({ at, direction, type, frame }, clock, { opened }) {
  const [arrow, word] = WAYS[direction];
  const way = [
    h("span", { "aria-hidden": "true" }, arrow),
    h("span", { class: "unseen" }, word),
  ];
  const line = h(
    "button",
    { type: "button", class: "frame", "aria-expanded": "false", tabindex: -1 },
    h("span", { class: "muted" }, timeWithMilliseconds(at + clock.offset)),
    h("span", { class: "way" }, way),
    h("span", { class: "type" }, type),
    h("span", { class: "about muted" }, summary(frame)),
  );
  const element = h("li", { "data-direction": direction }, line);
  line.addEventListener("click", () => {
    const open = line.getAttribute("aria-expanded") === "true";
    line.setAttribute("aria-expanded", String(!open));
    if (open) return element.lastChild.remove();
    element.append(h("pre", {}, JSON.stringify(frame, null, 2)));
    return opened();
  });
  return { element, update() {} };
}
