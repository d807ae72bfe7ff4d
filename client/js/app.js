/** One user at work: connects the socket, the lists, the clock and the screen. */

import { Actions } from "./actions.js";
import { ask, askPage } from "./api.js";
import { Clock } from "./clock.js";
import { Commands } from "./commands.js";
import { deviceName } from "./device.js";
import { Frames } from "./frames.js";
import { ConnectionStatus } from "./connection_status.js";
import { Pings } from "./pings.js";
import { Screen } from "./screen.js";
import { endedSince, lastSeen, remember } from "./last_seen.js";
import { Socket } from "./socket.js";
import { Store } from "./store.js";
import { Trace } from "./trace.js";
import { Badge } from "./views/badge.js";
import { insist, warn } from "./views/messages.js";

const STANDING = "/sessions/?status=ready,running,paused";
const ENDED = "/sessions/?status=completed,finished,cancelled&limit=40"; // a page; more when asked
const LOAD_AGAIN_MS = 3_000;
const OVERDUE_MS = 3_000; // after this the end should have arrived; ask for it

export class App {
  #store = new Store();
  #clock = new Clock();
  #connection = new ConnectionStatus();
  #trace = new Trace(() => this.#clock.local());
  #badge;
  #socket;
  #pings;
  #commands;
  #screen;
  #user = null;
  #asked = 0;
  #again = null; // the one timer for the next try to load

  constructor({ signedOut }) {
    const [store, clock] = [this.#store, this.#clock];
    this.#pings = new Pings(clock, (frame) => this.#socket.send(frame));
    const frames = new Frames({
      store,
      clock,
      pings: this.#pings,
      sync: () => this.#socket.send({ type: "sync", ...this.#position() }),
      renewToken: () => this.#socket.renewToken().catch(() => {}), // 4401 will come, and renew
      answered: (frame) => this.#commands.answered(frame),
      load: () => this.#load(),
      ended: (session) => this.#screen.reveal(session),
      received: () => this.#received(),
    });
    this.#socket = new Socket({
      trace: this.#trace,
      hello: () => ({ device: deviceName(), ...this.#position() }),
      on: {
        frame: (frame) => frames.receive(frame),
        status: (status, text) => this.#status(status, text),
        signedOut,
      },
    });
    this.#commands = new Commands(this.#socket, store);
    const actions = new Actions({ store, commands: this.#commands, socket: this.#socket });
    const lists = { more: () => this.#more(), again: () => this.#load() };
    this.#screen = new Screen({ store, clock, actions, lists });
    const [connection, trace, socket] = [this.#connection, this.#trace, this.#socket];
    this.#badge = new Badge({ connection, trace, socket, store, clock });
    setInterval(() => this.#everySecond(), 1_000);
  }

  enter(user) {
    this.#user = user;
    this.#store.clear(); // a late answer may have been for the user before
    this.#screen.know(user);
    this.#socket.start();
  }

  /** The user's profile has changed. */
  know(user) {
    this.#screen.know(user);
  }

  leave() {
    this.#socket.stop();
    this.#pings.stop();
    this.#user = null;
    this.#connection.reset();
    this.#trace.clear();
    this.#store.clear();
    this.#screen.clear();
  }

  /** The revision up to which this page has every change; empty before the first `ready`. */
  #position() {
    const { epoch, revision } = this.#store;
    return revision === null ? {} : { epoch, since: revision };
  }

  #status(status, text) {
    this.#badge.update(this.#connection.take(status, this.#clock.local(), text));
    if (status === "stopped") insist(text);
    if (status === "connected") return;
    this.#pings.stop();
    this.#commands.lost();
    if (status === "coming back" && !this.#store.loaded) this.#load();
  }

  /** Loads the lists. The first load shows a session that ended while no page was open. */
  async #load() {
    const user = this.#user;
    const begun = this.#store.beginLoad();
    clearTimeout(this.#again);
    try {
      const asked = [ask("GET", STANDING), askPage(ENDED), ask("GET", "/spaces/"), ask("GET", "/users/me/")];
      const [standing, ended, spaces, profile] = await Promise.all(asked);
      if (user !== this.#user) return;
      this.#screen.know(profile); // it may have changed on another device
      const first = !this.#store.loaded;
      const taken = this.#store.load([...standing, ...ended.items], spaces, ended.next, begun);
      if (taken) await this.#loadUnlisted();
      if (first && taken && user === this.#user) this.#revealMissed();
    } catch (error) {
      if (user !== this.#user || error.status === 401) return;
      this.#store.loadFailed(begun);
      clearTimeout(this.#again);
      this.#again = setTimeout(() => user === this.#user && this.#load(), LOAD_AGAIN_MS);
    }
  }

  async #loadUnlisted() {
    const user = this.#user;
    const states = await Promise.all(
      this.#store.unlisted().map((id) => ask("GET", `/sessions/${id}/`).catch(() => null)),
    );
    if (user === this.#user) states.forEach((state) => state && this.#store.adopt(state));
  }

  /** The next page of ended sessions. */
  async #more() {
    const [user, path] = [this.#user, this.#store.older];
    try {
      const { items, next } = await askPage(path);
      if (user === this.#user && this.#store.older === path) this.#store.append(items, next);
    } catch (error) {
      warn(error);
    }
  }

  #revealMissed() {
    const since = lastSeen(this.#user.id);
    const [session] = since === null ? [] : endedSince(since, this.#store.sessions());
    if (session && !this.#store.active()) this.#screen.reveal(session);
  }

  #received() {
    if (this.#user && this.#store.loaded) remember(this.#user.id, this.#clock.now());
    this.#badge.update();
    this.#screen.paint();
  }

  /** The end did not arrive, perhaps because there is no socket: ask for it. */
  async #everySecond() {
    this.#screen.paint();
    const now = this.#clock.local();
    if (this.#screen.overdue() < OVERDUE_MS || now < this.#asked + OVERDUE_MS) return;
    this.#asked = now;
    try {
      const state = await ask("GET", `/sessions/${this.#store.active().id}/`);
      if (!this.#store.adopt(state) || state.timer.ended_at === null) return;
      await this.#load();
      if (state.timer.status !== "cancelled") this.#screen.reveal(state);
    } catch {
      // Not reachable either: the next second asks again.
    }
  }
}
