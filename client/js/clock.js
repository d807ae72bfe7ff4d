/**
 * The server's clock, as seen from here.
 *
 *   client_time          client_received      offset = ((server_received - client_time)
 *       \                     ^                        + (server_sent - client_received)) / 2
 *        v                   /
 *   server_received --> server_sent
 *
 * The offset is signed, and comes from the sample with the least round trip of the last eight.
 * All times are milliseconds since 1970. Locally they come from the monotonic clock: setting the
 * wall clock of this machine moves nothing on the screen.
 */

const KEPT = 8;
const HINT_TOLERANCE_MS = 5; // a frame is never this much ahead of a good offset

const monotonic = () => performance.timeOrigin + performance.now();

export class Clock {
  #local;
  #samples = [];

  constructor(local = monotonic) {
    this.#local = local;
  }

  local() {
    return this.#local();
  }

  /** The server's time now. */
  now() {
    return this.#local() + this.offset;
  }

  get offset() {
    return this.#best()?.offset ?? 0;
  }

  /** Round trip of the best sample, or null before the first one. */
  get roundTrip() {
    const trip = this.#best()?.roundTrip ?? Infinity;
    return Number.isFinite(trip) ? trip : null;
  }

  addPong({ client_time: sent, server_received, server_sent }, received = this.#local()) {
    const roundTrip = received - sent - (server_sent - server_received);
    if (!Number.isFinite(roundTrip)) return;
    const offset = (server_received - sent + (server_sent - received)) / 2;
    this.#samples = [...this.#samples, { offset, roundTrip }].slice(-KEPT);
  }

  /**
   * Any frame with the server's time gives a lower bound: it was sent before it arrived.
   * An offset clearly below it is wrong (this machine slept, say), and so are its samples.
   */
  addHint(serverTime) {
    const bound = serverTime - this.#local();
    if (!Number.isFinite(bound)) return;
    if (this.#samples.length && bound <= this.offset + HINT_TOLERANCE_MS) return;
    this.#samples = [{ offset: bound, roundTrip: Infinity }];
  }

  /** On a new connection: keep the offset, but let the next sample win over it. */
  renew() {
    if (this.#samples.length) this.#samples = [{ offset: this.offset, roundTrip: Infinity }];
  }

  #best() {
    return this.#samples.reduce(
      (best, sample) => (best && best.roundTrip < sample.roundTrip ? best : sample),
      null,
    );
  }
}
