/**
 * The last frames of the socket, and its events: shown in the dialog of the connection.
 *
 * Routine (ticks, clock samples) is kept apart, so that an hour of ticks does not push out the
 * one command that a reader needs. Nothing here touches the page.
 */

import { digits, secondsLeft } from "./format.js";

const KEPT = 100;
const ROUTINE = ["session.tick", "ping", "pong", "heartbeat"];
const HIDDEN = "(not kept)";

export class Trace {
  #now;
  #kept;
  #important = [];
  #routine = [];
  #next = 1;
  #listeners = new Set();

  /** `now()`: milliseconds by this page's own clock; its offset may become known only later. */
  constructor(now, kept = KEPT) {
    this.#now = now;
    this.#kept = kept;
  }

  sent(frame) {
    this.#add("sent", frame.type, "token" in frame ? { ...frame, token: HIDDEN } : frame);
  }

  received(frame) {
    this.#add("received", frame.type, frame);
  }

  /** Something happened to the connection itself: opened, closed, coming back. */
  happened(type, facts = {}) {
    this.#add("connection", type, { type, ...facts });
  }

  /** `{id, at, direction, type, frame}`, the newest first; `routine`: ticks and pings as well. */
  entries({ routine = true } = {}) {
    const all = routine ? [...this.#important, ...this.#routine] : [...this.#important];
    return all.sort((a, b) => b.id - a.id).slice(0, this.#kept);
  }

  clear() {
    [this.#important, this.#routine] = [[], []];
    this.#changed();
  }

  /** Call back after each entry. Gives a function that ends it. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #add(direction, type, frame) {
    const ring = ROUTINE.includes(type) ? this.#routine : this.#important;
    ring.push({ id: this.#next++, at: this.#now(), direction, type, frame });
    if (ring.length > this.#kept) ring.shift();
    this.#changed();
  }

  #changed() {
    this.#listeners.forEach((listener) => listener());
  }
}

const LABELS = {
  action: (action) => action,
  session: (id) => `session ${id}`,
  version: (version) => `version ${version}`,
  revision: (revision) => `revision ${revision}`,
  cause: (cause) => cause,
  remaining_ms: (ms) => `${digits(secondsLeft(ms))} left`,
  since: (revision) => `since revision ${revision}`,
  reset: (reset) => reset && "reset",
  changes: (changes) => changes.length && `${changes.length} missed`,
  code: (code) => `code ${code}`,
  reason: (reason) => reason,
  message: (message) => message,
  device: (device) => device,
  in_ms: (ms) => `in ${ms} ms`,
  after_ms: (ms) => `after ${ms} ms`,
  late_ms: (ms) => `${ms} ms late`,
};

/** A frame in one line. */
export function summary(frame) {
  return Object.entries(LABELS)
    .map(([key, words]) => frame[key] != null && words(frame[key]))
    .filter(Boolean)
    .join(" · ");
}

/** The trace as text: one JSON object a line, the oldest first. `offset`: of the server's clock. */
export function asLines(entries, offset) {
  const line = ({ at, direction, frame }) =>
    JSON.stringify({ at: new Date(at + offset).toISOString(), direction, frame });
  return [...entries].reverse().map(line).join("\n");
}
