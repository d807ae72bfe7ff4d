/** The badge in the head: the status of the connection. It opens the details. */

import { setText } from "../dom.js";
import { connectionDialog } from "./connection/dialog.js";
import { announce } from "./messages.js";

const TEXT = {
  connecting: "Connecting…",
  connected: "Connected",
  "coming back": "Coming back…",
  stopped: "Not connected",
};
const ALOUD = {
  connected: "Connected.",
  "coming back": "The connection is away and coming back. The countdown goes on.",
  stopped: "Not connected.",
};

export class Badge {
  #parts;
  #button = document.getElementById("badge");
  #text = this.#button.querySelector(".text");

  /** `parts`: connection, clock, and the other parts of the dialog. */
  constructor(parts) {
    this.#parts = parts;
    this.#button.addEventListener("click", () => connectionDialog(this.#button, this.#parts));
  }

  /** `changed`: the status did, so it is read out; the round trip is only for the eyes. */
  update(changed = false) {
    const { connection, clock } = this.#parts;
    this.#button.dataset.status = connection.status ?? "connecting";
    const trip = connection.status === "connected" ? clock.roundTrip : null;
    const status = TEXT[connection.status] ?? TEXT.connecting;
    setText(this.#text, trip === null ? status : `${status} · ${milliseconds(trip)}`);
    if (changed) announce(ALOUD[connection.status] ?? "");
  }
}

/** Whole, and never less than one: client times are whole milliseconds. */
const milliseconds = (trip) => `${Math.max(1, Math.round(trip))} ms`;
