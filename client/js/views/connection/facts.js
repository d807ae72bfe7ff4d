/** The facts of the connection: status, clock, and the position in the stream of changes. */

import { h, setText } from "../../dom.js";
import { timeWithSeconds, span } from "./labels.js";

const STATUS = {
  connecting: "Connecting",
  connected: "Connected",
  "coming back": "Coming back",
  stopped: "Not connected",
};
const GOES_ON = {
  connected: "The countdown follows the server’s clock, and goes on by it if the connection is lost.",
  else: "The countdown goes on by the server’s clock. What changes elsewhere comes with the connection.",
};
const SHORT = 8; // characters of an id that tell it from others
const UNKNOWN = ["not known yet"];

export function factsView({ connection, clock, socket, store }) {
  const status = h("strong", { role: "status" });
  const since = h("span", { class: "muted" });
  const next = h("span", {});
  const tryNow = h("button", { type: "button", class: "primary slim" }, "Try now");
  tryNow.addEventListener("click", () => socket.tryNow());
  const away = h("div", { class: "row between away" }, next, tryNow);
  const goesOn = h("p", { class: "muted small" });
  const list = h("dl", { class: "readings" });
  const fact = (name) => {
    const value = h("span", {});
    const note = h("small", {});
    list.append(h("div", {}, h("dt", {}, name), h("dd", {}, value, note)));
    return (text, remark = "") => {
      setText(value, text);
      setText(note, remark);
    };
  };
  const names = ["Server clock", "Round trip", "Revision", "Epoch", "Connection"];
  const [offset, trip, revision, epoch, socketId] = names.map(fact);
  const dot = h("span", { class: "dot" });
  const head = h("p", { class: "row tight status" }, dot, status, since);
  const parts = [head, away, goesOn, list];
  const element = h("section", { class: "stack", "aria-label": "Status" }, parts);

  const update = () => {
    const now = connection.status ?? "connecting";
    element.dataset.status = now;
    setText(status, STATUS[now]);
    setText(since, sinceText(connection.since, clock));
    away.hidden = now === "connected";
    setText(next, nextText(connection, socket));
    tryNow.hidden = socket.nextAttempt === null && now !== "stopped";
    setText(goesOn, GOES_ON[now] ?? GOES_ON.else);
    offset(...(clock.roundTrip === null ? UNKNOWN : offsetText(clock.offset)));
    trip(...(clock.roundTrip === null ? UNKNOWN : [`${positive(clock.roundTrip)} ms`]));
    revision(String(store.revision ?? UNKNOWN[0]));
    epoch(store.epoch?.slice(0, SHORT) ?? UNKNOWN[0]);
    socketId((now === "connected" && socket.connection?.slice(0, SHORT)) || "none");
  };
  return { element, update };
}

function sinceText(since, clock) {
  if (since === null) return "";
  return `since ${timeWithSeconds(since + clock.offset)} (${span(clock.local() - since)})`;
}

function nextText(connection, socket) {
  if (connection.status === "stopped") return connection.reason;
  if (socket.nextAttempt === null) return "Trying now…";
  const wait = Math.max(0, Math.ceil((socket.nextAttempt - performance.now()) / 1000));
  return `Next attempt in ${wait} s`;
}

/** Signed: ahead means that the server's clock shows more than this device's. */
function offsetText(offset) {
  const [sign, where] = offset < 0 ? ["−", "behind"] : ["+", "ahead of"];
  return [`${sign}${positive(Math.abs(offset))} ms`, `${where} this device`];
}

const positive = (ms) => Math.max(0, ms).toFixed(1);
