/**
 * The one socket of this page: connects, authenticates, detects a dead connection, reconnects.
 *
 *   waiting --connect--> connecting --ready--> connected
 *      ^                      |                    |
 *      +------- close, error, silence -------------+--(4400, 4403, 4409, 4413)--> stopped
 */

import { delay } from "./backoff.js";
import { reason, verdict } from "./close_codes.js";
import * as tokens from "./tokens.js";

const CONNECT_WITHIN_MS = 10_000;
const PROBE_WITHIN_MS = 3_000;
const SLOWLY = 5; // attempts that count as made when the server asks to slow down

export class Socket {
  #on;
  #hello;
  #trace;
  #ws = null;
  #token = null;
  #attempt = 0;
  #renewed = null; // the token that was fetched because another was refused
  #running = false;
  #notBefore = 0; // `after_ms` of a closing frame, on the monotonic clock
  #return = null;
  #silence = null;
  #quietFor = CONNECT_WITHIN_MS;

  /** `on`: frame(frame), status(name, text), signedOut(). `hello()`: the rest of authenticate. */
  constructor({ on, hello, trace }) {
    this.#on = on;
    this.#hello = hello;
    this.#trace = trace;
    addEventListener("online", () => this.#atOnce());
    addEventListener("pageshow", () => this.#atOnce());
    document.addEventListener("visibilitychange", () => document.hidden || this.#atOnce());
  }

  connected = false;
  connection = null; // the server's id of it
  nextAttempt = null; // on the monotonic clock, while waiting for it

  start() {
    this.#running = true;
    this.#attempt = 0;
    this.#connect();
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#return);
    this.#drop();
  }

  /** The user does not want to wait; also after a stop. */
  tryNow() {
    if (!this.connected) this.start();
  }

  /** True where the frame was sent (it may still not arrive). */
  send(frame) {
    if (!this.connected || this.#ws?.readyState !== WebSocket.OPEN) return false;
    this.#write(frame);
    return true;
  }

  /** Show the server a fresh token on the open socket, so that it need not close. */
  async renewToken() {
    const token = await tokens.renew(this.#token);
    if (token && this.send({ type: "authenticate", token, ...this.#hello() })) this.#token = token;
  }

  #connect() {
    clearTimeout(this.#return);
    this.nextAttempt = null;
    this.#drop();
    this.#on.status("connecting");
    const ws = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws/`);
    this.#ws = ws;
    this.#token = tokens.read()?.access;
    this.#quietFor = CONNECT_WITHIN_MS;
    this.#armSilence();
    ws.onopen = () => {
      this.#trace.happened("opened");
      this.#write({ type: "authenticate", token: this.#token, ...this.#hello() });
    };
    ws.onmessage = (event) => this.#receive(JSON.parse(event.data));
    ws.onclose = (event) => this.#closed(event.code);
  }

  #write(frame) {
    this.#ws.send(JSON.stringify(frame));
    this.#trace.sent(frame);
  }

  #receive(frame) {
    this.#trace.received(frame);
    if (frame.type === "ready") {
      [this.connected, this.#attempt, this.#renewed] = [true, 0, null];
      this.#quietFor = 2 * frame.heartbeat_s * 1000;
      this.connection = frame.connection;
      this.#on.status("connected");
    } else if (frame.type === "closing") {
      this.#notBefore = performance.now() + (frame.after_ms ?? 0);
    }
    if (this.connected) this.#armSilence(); // until then the time to connect runs
    this.#on.frame(frame);
  }

  /** A connection can die without a close: then no frame arrives for two heartbeats. */
  #armSilence() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#closed(1006), this.#quietFor);
  }

  #closed(code) {
    this.#drop();
    this.#trace.happened("closed", { code });
    if (!this.#running) return;
    const what = verdict(code);
    if (what === "stop") {
      this.#running = false;
      this.#on.status("stopped", reason(code));
    } else if (what === "renew") {
      this.#renew();
    } else {
      this.#comeBack(what === "slowly" ? SLOWLY : 0);
    }
  }

  async #renew() {
    if (this.#token && this.#token === this.#renewed) return this.#on.signedOut();
    this.#on.status("coming back");
    try {
      this.#renewed = await tokens.renew(this.#token);
    } catch {
      return this.#comeBack(); // the network's fault, not the login's
    }
    if (!this.#running || this.#ws) return undefined;
    return this.#renewed ? this.#comeBack() : this.#on.signedOut();
  }

  #comeBack(atLeast = 0) {
    this.#on.status("coming back");
    this.#attempt = Math.max(this.#attempt, atLeast);
    const wait = Math.max(delay(this.#attempt), this.#notBefore - performance.now());
    this.#attempt += 1;
    this.nextAttempt = performance.now() + wait;
    this.#trace.happened("coming back", { in_ms: Math.round(wait) });
    clearTimeout(this.#return);
    this.#return = setTimeout(() => this.#connect(), wait);
  }

  /** The network or the user is back: end the wait. */
  #atOnce() {
    if (!this.#running) return;
    if (this.#ws) this.#probe();
    else if (performance.now() >= this.#notBefore) this.#connect();
  }

  /** Tests the connection: this machine may have slept, or changed its network. */
  #probe() {
    const asked = { type: "ping", id: "probe", client_time: Math.round(Date.now()) };
    if (!this.send(asked)) return;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#closed(1006), PROBE_WITHIN_MS);
  }

  #drop() {
    clearTimeout(this.#silence);
    this.connected = false;
    if (!this.#ws) return;
    this.#ws.onopen = this.#ws.onmessage = this.#ws.onclose = null;
    this.#ws.close(1000);
    this.#ws = null;
  }
}
