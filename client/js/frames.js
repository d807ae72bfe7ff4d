/** Applies each frame of the server to this page. */

import { written } from "./reminders.js";
import { say, warn } from "./views/messages.js";

const SYNC_AGAIN_MS = 3_000; // an answer that takes longer counts as lost
const BEFORE_EXPIRY_MS = 60_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const BORN = ["completed", "finished"];

export class Frames {
  #to;
  #syncedAt = -Infinity;
  #expiry = null;
  #connection = null;

  /** `to`: the parts that frames act upon (see `App`). */
  constructor(to) {
    this.#to = to;
  }

  receive(frame) {
    const received = this.#to.clock.local();
    if (frame.type === "pong") this.#to.clock.addPong(frame, received);
    this.#hint(frame.server_time ?? frame.state?.timer?.server_time);
    if (frame.type === "ready") this.#catchUp(frame);
    else if (frame.type === "ack") this.#acknowledged(frame);
    else if (frame.type === "error") this.#refused(frame);
    else if (frame.type === "session.tick") this.#tick(frame);
    else if (frame.type === "session.reminder") this.#remind(frame);
    else if ("revision" in frame) this.#changed(frame);
    this.#to.received();
  }

  #hint(time) {
    if (time) this.#to.clock.addHint(Date.parse(time));
  }

  /** The answer to `authenticate` and to `sync`. */
  #catchUp(frame) {
    this.#syncedAt = -Infinity;
    if (frame.connection !== this.#connection) this.#connected(frame);
    this.#renewIn(frame);
    const ended = frame.changes.filter(({ kind, state }) => BORN.includes(kind) && state);
    const mustLoad = this.#to.store.catchUp(frame);
    if (mustLoad) this.#to.load();
    else if (ended.length) this.#to.load().then(() => this.#missed(ended.at(-1).state));
  }

  #connected({ connection }) {
    this.#connection = connection;
    this.#to.clock.renew();
    this.#to.pings.start();
  }

  #renewIn({ token_expires_at: expires }) {
    clearTimeout(this.#expiry);
    const wait = Date.parse(expires) - this.#to.clock.now() - BEFORE_EXPIRY_MS;
    if (wait > 0) {
      this.#expiry = setTimeout(() => this.#to.renewToken(), Math.min(wait, LONGEST_TIMER_MS));
    }
  }

  #missed(session) {
    if (this.#to.store.active()) return;
    this.#to.ended(session);
  }

  #changed(frame) {
    const gap = this.#to.store.receive(frame);
    if (gap) this.#sync();
    if (frame.type === "session.ended" && BORN.includes(frame.cause) && frame.state) {
      this.#to.ended(frame.state);
    }
  }

  #acknowledged(frame) {
    if (frame.state) this.#to.store.adopt(frame.state);
    this.#to.answered(frame);
  }

  #refused(frame) {
    if (this.#to.answered(frame)) return;
    if (frame.code !== "rate_limited") warn(frame.message);
  }

  #tick({ session, version }) {
    const known = this.#to.store.session(session);
    if (this.#to.store.loaded && (known?.timer.version ?? 0) < version) this.#sync();
  }

  #remind({ session, offset_s, remaining_ms }) {
    const left = offset_s || Math.round(remaining_ms / 1000);
    const title = this.#to.store.session(session)?.title ?? "Your session";
    say(`${written([left])} left: ${title}`);
  }

  #sync() {
    const now = performance.now();
    if (now < this.#syncedAt + SYNC_AGAIN_MS) return;
    if (this.#to.sync()) this.#syncedAt = now;
  }
}
