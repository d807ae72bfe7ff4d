/** The views of a signed-in user: drawn from the store, once for all the changes of one moment. */

import { Compose } from "./views/compose.js";
import { Ended, sentence } from "./views/ended.js";
import { announce, clearMessages } from "./views/messages.js";
import { Sessions } from "./views/sessions.js";
import { Sky } from "./views/sky.js";
import { Timer } from "./views/timer.js";

export class Screen {
  #store;
  #timer;
  #ended;
  #compose;
  #sessions;
  #sky;
  #waiting = false;
  #active = null; // id of the session that was active when last drawn

  constructor({ store, clock, actions }) {
    const place = (name, View) => new View(document.getElementById(name), { clock, actions });
    this.#store = store;
    this.#timer = place("timer", Timer);
    this.#ended = place("ended", Ended);
    this.#compose = place("compose", Compose);
    this.#sky = place("sky", Sky);
    this.#sessions = place("sessions", Sessions);
    store.onChange(() => this.#drawSoon());
    this.#repaint();
  }

  /** What a session has become. */
  reveal(session) {
    const space = this.#store.spaceOf(session.id);
    this.#ended.show(session, space);
    announce(`${session.title}. ${sentence(session, space)}`);
  }

  /** The countdown as of now; also without a change, and for the title of a hidden page. */
  paint() {
    this.#timer.paint();
  }

  /** Milliseconds since the active session should have ended; negative while it has time left. */
  overdue() {
    return this.#store.active()?.timer.status === "running" ? -this.#timer.left() : -Infinity;
  }

  clear() {
    this.#ended.hide();
    clearMessages();
  }

  #drawSoon() {
    if (this.#waiting) return;
    this.#waiting = true;
    queueMicrotask(() => {
      this.#waiting = false;
      this.#draw();
    });
  }

  #draw() {
    const active = this.#store.active();
    if (active && active.id !== this.#active) this.#ended.hide();
    if (!active !== !this.#active) this.#compose.open(!active);
    this.#active = active?.id ?? null;
    this.#timer.update(active);
    this.#ended.update(this.#store);
    this.#sessions.update(this.#store);
    this.#sky.update(this.#store.spaces());
  }

  #repaint() {
    this.paint();
    requestAnimationFrame(() => this.#repaint());
  }
}
