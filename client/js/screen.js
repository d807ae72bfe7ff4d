/** The views of a signed-in user: drawn from the store, once for all the changes of one moment. */

import { svg } from "./dom.js";
import { Compose } from "./views/compose.js";
import { Detail } from "./views/detail.js";
import { starfield } from "./views/drawings.js";
import { Ended, sentence } from "./views/ended.js";
import { announce, clearMessages } from "./views/messages.js";
import { Sessions } from "./views/sessions.js";
import { Sky } from "./views/sky.js";
import { tasksView } from "./views/tasks.js";
import { Timer } from "./views/timer.js";

const element = (id) => document.getElementById(id);

export class Screen {
  #store;
  #timer;
  #ended;
  #compose;
  #sessions;
  #sky;
  #tasks;
  #detail;
  #user = null;
  #next = null;
  #waiting = false;
  #active = null; // id of the session that was active when last drawn

  constructor({ store, clock, actions, lists }) {
    const place = (name, View) => new View(element(name), { clock, actions, lists, dismissed: () => this.#drawSoon() });
    this.#store = store;
    this.#timer = place("timer", Timer);
    this.#ended = place("ended", Ended);
    this.#compose = place("compose", Compose);
    this.#sky = place("sky", Sky);
    this.#sessions = place("sessions", Sessions);
    this.#tasks = tasksView(actions, { heading: "Tasks" });
    element("tasks").append(this.#tasks.element);
    this.#detail = new Detail({ store, actions });
    element("stage").prepend(...backdrop());
    store.onChange(() => this.#drawSoon());
  }

  /** Take the user's profile, which may have changed. */
  know(user) {
    this.#user = user;
    this.#compose.remindAsUsual(user.reminders);
    this.#drawSoon();
  }

  /** Show the end of a session. */
  reveal(session) {
    const space = this.#store.spaceOf(session.id);
    this.#ended.show(session, space);
    this.#placeCompose();
    if (!this.#compose.isInUse && document.activeElement?.matches("body, #compose *")) this.#focusStage();
    announce(`${session.title}. ${sentence(session, space)}`);
  }

  /** Milliseconds since the active session should have ended; negative while it has time left. */
  overdue() {
    return this.#store.active()?.timer.status === "running" ? -this.#timer.left() : -Infinity;
  }

  clear() {
    this.#ended.hide();
    this.#detail.close();
    this.#compose.clear();
    this.#tasks.clear();
    announce("");
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
    const next = (active?.id ?? null) !== this.#active;
    const focused = next && document.activeElement?.closest("#timer, #compose");
    this.#active = active?.id ?? null;
    this.#placeCompose();
    this.#timer.update(active, active ? (active.reminders ?? this.#user?.reminders ?? []) : []);
    element("tasks").hidden = !active;
    if (active) this.#tasks.update(active);
    this.#ended.update(this.#store);
    this.#sessions.update(this.#store);
    this.#sky.update(this.#store.spaces(), this.#store);
    this.#detail.update();
    this.paint();
    if (focused && !this.#compose.isInUse) this.#focusStage();
  }

  /** The focused element has gone out of sight: move the focus to the element in its place. */
  #focusStage() {
    const place = this.#active !== null ? "timer" : this.#ended.isShown ? "ended" : "compose";
    const target = place === "compose" ? "input" : "button.primary";
    element(place).querySelector(target)?.focus({ preventScroll: true });
  }

  /** The form for a new session is on the stage while that is free, else folded above the list. */
  #placeCompose() {
    const place = this.#active === null ? element("ended").parentElement : this.#sessions.slot;
    this.#compose.moveTo(place, this.#active === null && (!this.#ended.isShown || this.#compose.isInUse));
  }

  /** Paint, and again when there is something new to see: between two seconds nothing may change. */
  paint() {
    clearTimeout(this.#next);
    this.#timer.paint();
    const wait = this.#timer.nextIn();
    if (wait !== null) this.#next = setTimeout(() => this.paint(), wait);
  }
}

/** Far stars over the whole stage, behind everything. Those that twinkle are a drawing of their own,
 * which the browser can fade without painting it again. */
function backdrop() {
  const layer = (name, ...of) => svg("svg", { class: name, "aria-hidden": "true" }, starfield(...of));
  return [
    layer("backdrop", "far", 200, { percent: true }),
    layer("backdrop twinkling", "near", 36, { percent: true, bright: true }),
  ];
}
