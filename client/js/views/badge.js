/** The small badge: is this page listening to the server, and how far are their clocks apart? */

import { setText } from "../dom.js";

const TEXT = {
  connecting: "Connecting…",
  connected: "Connected",
  "coming back": "Coming back…",
  stopped: "Not connected",
};

const badge = document.getElementById("badge");

export function showStatus(status) {
  badge.dataset.status = status;
  setText(badge.querySelector(".text"), TEXT[status]);
  if (status !== "connected") badge.title = "Without a connection the countdown goes on here.";
}

export function showClock(clock) {
  if (clock.roundTrip === null) return;
  const [offset, trip] = [clock.offset.toFixed(1), clock.roundTrip.toFixed(1)];
  const sign = clock.offset < 0 ? "−" : "+";
  badge.title = `Server clock ${sign}${offset.replace("-", "")} ms · round trip ${trip} ms`;
}
