/**
 * start, pause, resume, extend, finish, cancel: over the socket where it is open, else over REST.
 *
 * A command carries a random key, so one whose answer was lost is repeated over REST without
 * a second effect, and the version that the user saw, so that it cannot act on another state.
 */

import { ApiError, ask } from "./api.js";
import { uuid } from "./random.js";

const ANSWER_WITHIN_MS = 4_000;

export class Commands {
  #socket;
  #store;
  #waiting = new Map();
  #last = Promise.resolve();
  #asked = new Set();

  constructor(socket, store) {
    this.#socket = socket;
    this.#store = store;
  }

  /**
   * Done, or an ApiError. Whatever state the answer brings has been adopted by then.
   *
   * One at a time: +5 pressed twice is ten minutes, the second for the version that the first
   * made. Any other button that is pressed twice was meant once.
   */
  run(session, action, extra = {}) {
    const name = `${session.id} ${action} ${Boolean(extra.replace)}`;
    if (action !== "extend" && this.#asked.has(name)) return Promise.resolve();
    this.#asked.add(name);
    const before = this.#last;
    const done = before.then(() => this.#run(session.id, action, extra));
    this.#last = done.catch(() => {}).then(() => this.#asked.delete(name));
    return done;
  }

  async #run(id, action, extra) {
    const version = this.#store.session(id)?.timer.version;
    const command = { action, version, key: uuid(), ...extra };
    try {
      const state = (await this.#overSocket(id, command)) ?? (await overRest(id, command));
      if (state?.timer) this.#store.adopt(state);
    } catch (error) {
      if (error.state) this.#store.adopt(error.state);
      throw error;
    }
  }

  /** An `ack` or `error` frame; false where no command waits for it. */
  answered(frame) {
    const settle = this.#waiting.get(frame.id);
    settle?.(frame);
    return Boolean(settle);
  }

  /** The connection was lost: a command without an answer is repeated over REST. */
  lost() {
    this.#waiting.forEach((settle) => settle(null));
  }

  /** The new state, or null where the socket gave no answer. */
  async #overSocket(session, command) {
    const id = uuid();
    const answer = new Promise((resolve) => this.#waiting.set(id, resolve));
    const timer = setTimeout(() => this.#waiting.get(id)?.(null), ANSWER_WITHIN_MS);
    const sent = this.#socket.send({ type: "command", id, session, ...command });
    const frame = sent ? await answer : null;
    clearTimeout(timer);
    this.#waiting.delete(id);
    if (frame?.type === "error") throw refusal(frame);
    return frame?.state ?? null;
  }
}

function refusal(frame) {
  return new ApiError(409, { ...frame, error: frame.message });
}

async function overRest(session, { action, key, ...body }) {
  const path = `/sessions/${session}/`;
  try {
    return await ask("POST", `${path}${action}/`, body, { key });
  } catch (error) {
    // The first try did arrive: all that is missing is its outcome.
    if (error.code === "idempotency_mismatch") return ask("GET", path);
    throw error;
  }
}
