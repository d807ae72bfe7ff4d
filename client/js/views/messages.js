/** Small messages at the foot of the page, read out by screen readers. */

import { h } from "../dom.js";

const SHOWN_MS = 6_000;
const MISTAKE_SHOWN_MS = 12_000;
const AT_MOST = 3;

const polite = document.getElementById("messages");
const urgent = document.getElementById("mistakes");

export function say(text) {
  show(polite, text, SHOWN_MS);
}

/** A failure. Errors of the API bring their own sentence. */
export function warn(problem) {
  show(urgent, problem.message ?? problem, MISTAKE_SHOWN_MS);
}

/** Stays until it is closed. */
export function insist(text) {
  show(urgent, text, null);
}

/** Only for screen readers: the text is elsewhere on the page. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

export function clearMessages() {
  polite.replaceChildren();
  urgent.replaceChildren();
}

function show(region, text, forMs) {
  const same = [...region.children].find((shown) => shown.firstChild.textContent === text);
  same?.remove();
  const close = h("button", { class: "close", "aria-label": "Dismiss", type: "button" }, "×");
  const message = h("div", { class: "message" }, h("span", {}, text), close);
  close.addEventListener("click", () => message.remove());
  region.append(message);
  while (region.children.length > AT_MOST) region.firstChild.remove();
  if (forMs) setTimeout(() => message.remove(), forMs);
}
