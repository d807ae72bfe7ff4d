/** Keeps the clock's samples coming: a few at once after connecting, then one now and then. */

const FIRST = 4;
const FIRST_INTERVAL_MS = 200;
const LATER_INTERVAL_MS = 10_000;

export class Pings {
  #send;
  #clock;
  #next = null;
  #sent = 0;

  constructor(clock, send) {
    this.#clock = clock;
    this.#send = send;
  }

  start() {
    this.stop();
    this.#sent = 0;
    this.#ping();
  }

  stop() {
    clearTimeout(this.#next);
  }

  #ping() {
    this.#sent += 1;
    const client_time = Math.round(this.#clock.local());
    if (!this.#send({ type: "ping", id: `p${this.#sent}`, client_time })) return;
    const wait = this.#sent < FIRST ? FIRST_INTERVAL_MS : LATER_INTERVAL_MS;
    this.#next = setTimeout(() => this.#ping(), wait);
  }
}
