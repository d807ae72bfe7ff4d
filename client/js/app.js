/** One user at work: frames and lists go into the store, and from the store to the views. */

import { Actions } from "./actions.js";
import { ask } from "./api.js";
import { Clock } from "./clock.js";
import { Commands } from "./commands.js";
import { deviceName } from "./device.js";
import { Frames } from "./frames.js";
import { Pings } from "./pings.js";
import { endedSince, lastSeen, remember } from "./seen.js";
import { Socket } from "./socket.js";
import { Store } from "./store.js";
import { showClock, showStatus } from "./views/badge.js";
import { Compose } from "./views/compose.js";
import { Ended, sentence } from "./views/ended.js";
import { announce, clearMessages, insist, warn } from "./views/messages.js";
import { Sessions } from "./views/sessions.js";
import { Sky } from "./views/sky.js";
import { Timer } from "./views/timer.js";

const LOAD_AGAIN_MS = 3_000;
const OVERDUE_MS = 3_000; // after this the end should have arrived; ask for it

export class App {
  #store = new Store();
  #clock = new Clock();
  #socket;
  #pings;
  #commands;
  #views;
  #user = null;
  #drawing = false;
  #wasActive = null;
  #asked = 0;

  constructor({ signedOut }) {
    this.#pings = new Pings(this.#clock, (frame) => this.#socket.send(frame));
    const frames = new Frames({
      store: this.#store,
      clock: this.#clock,
      pings: this.#pings,
      sync: () => this.#socket.send({ type: "sync", ...this.#position() }),
      renewToken: () => this.#socket.renewToken().catch(() => {}), // 4401 will come, and renew
      answered: (frame) => this.#commands.answered(frame),
      load: () => this.#load(),
      ended: (session, space) => this.#reveal(session, space),
      tick: (at) => this.#ticked(at),
    });
    this.#socket = new Socket({
      hello: () => ({ device: deviceName(), ...this.#position() }),
      on: {
        frame: (frame) => frames.receive(frame),
        status: (status, text) => this.#status(status, text),
        signedOut,
      },
    });
    this.#commands = new Commands(this.#socket, this.#store);
    const tools = {
      clock: this.#clock,
      actions: new Actions({ store: this.#store, commands: this.#commands, socket: this.#socket }),
    };
    const place = (name, View) => new View(document.getElementById(name), tools);
    this.#views = {
      timer: place("timer", Timer),
      ended: place("ended", Ended),
      compose: place("compose", Compose),
      sky: place("sky", Sky),
      sessions: place("sessions", Sessions),
    };
    this.#store.onChange(() => this.#draw());
    setInterval(() => this.#everySecond(), 1_000);
    this.#repaint();
  }

  enter(user) {
    this.#user = user;
    this.#socket.start();
  }

  leave() {
    this.#socket.stop();
    this.#pings.stop();
    this.#user = null;
    this.#store.clear();
    this.#views.ended.hide();
    clearMessages();
  }

  #position() {
    const { epoch, revision } = this.#store;
    return revision === null ? {} : { epoch, since: revision };
  }

  #status(status, text) {
    showStatus(status);
    if (status === "stopped") insist(text);
    if (status === "connected") return;
    this.#pings.stop();
    this.#commands.lost();
    if (status === "coming back" && !this.#store.loaded) this.#load();
  }

  /** Fresh lists. What ended while no page was open is shown when they come for the first time. */
  async #load() {
    const user = this.#user;
    const first = !this.#store.loaded;
    this.#store.beginLoad();
    try {
      const lists = await Promise.all([ask("GET", "/sessions/"), ask("GET", "/spaces/")]);
      if (user !== this.#user) return;
      this.#store.load(...lists);
      if (first) this.#revealMissed();
    } catch (error) {
      if (user !== this.#user || error.status === 401) return;
      if (first) warn(error);
      setTimeout(() => user === this.#user && this.#load(), LOAD_AGAIN_MS);
    }
  }

  #revealMissed() {
    const since = lastSeen(this.#user.id);
    const [session] = since === null ? [] : endedSince(since, this.#store.sessions());
    if (session && !this.#store.active()) this.#reveal(session, this.#store.spaceOf(session.id));
  }

  #reveal(session, space) {
    this.#views.ended.show(session, space);
    announce(`${session.title}. ${sentence(session, space)}`);
  }

  #ticked(at) {
    if (this.#user && this.#store.loaded) remember(this.#user.id, at);
    showClock(this.#clock);
    this.#views.timer.paint(); // also where nothing is repainted: the title of a hidden page
  }

  /** Draw once for all the changes of one moment. */
  #draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    queueMicrotask(() => {
      this.#drawing = false;
      const active = this.#store.active();
      if (active && active.id !== this.#wasActive) this.#views.ended.hide();
      if (!active !== !this.#wasActive) this.#views.compose.open(!active);
      this.#wasActive = active?.id ?? null;
      this.#views.timer.update(active);
      this.#views.ended.update(this.#store);
      this.#views.sessions.update(this.#store);
      this.#views.sky.update(this.#store.spaces());
    });
  }

  #repaint() {
    this.#views.timer.paint();
    requestAnimationFrame(() => this.#repaint());
  }

  async #everySecond() {
    this.#views.timer.paint();
    const active = this.#store.active();
    if (active?.timer.status !== "running" || this.#views.timer.left() > -OVERDUE_MS) return;
    if (this.#clock.local() < this.#asked + OVERDUE_MS) return;
    this.#asked = this.#clock.local();
    try {
      const state = await ask("GET", `/sessions/${active.id}/`);
      if (!this.#store.adopt(state) || state.timer.ended_at === null) return;
      await this.#load();
      this.#reveal(state, this.#store.spaceOf(state.id));
    } catch {
      // Not reachable either: the next second asks again.
    }
  }
}
