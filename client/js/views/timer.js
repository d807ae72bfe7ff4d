/** The running countdown: ring, digits, buttons, and the tasks of its session. */

import { h, setText } from "../dom.js";
import { digits, secondsLeft, timeOfDay } from "../format.js";
import { Ring } from "./ring.js";
import { tasksView } from "./tasks.js";

const FIVE_MINUTES_S = 300;

export class Timer {
  #clock;
  #session = null;
  #shown = null; // the text of the digits, so that a frame without a change writes nothing
  #ring = new Ring();
  #title = h("h2", { class: "timer-title" });
  #digits = h("div", { class: "digits", role: "timer", "aria-label": "Time left" });
  #label = h("div", { class: "timer-label" });
  #ends = h("div", { class: "timer-ends muted" });
  #tasks;
  #toggle = h("button", { type: "button", class: "primary" });
  #card;

  constructor(root, { clock, actions }) {
    this.#clock = clock;
    this.#tasks = tasksView(actions);
    const run = (action, extra) => () => actions.command(this.#session, action, extra);
    const button = (text, work, kind = "quiet") =>
      h("button", { type: "button", class: kind, onclick: work }, text);
    this.#toggle.addEventListener("click", () => run(this.#isPaused() ? "resume" : "pause")());
    const face = h("div", { class: "face" }, this.#label, this.#digits, this.#ends);
    this.#card = h(
      "div",
      { class: "card timer", hidden: true },
      this.#title,
      h("div", { class: "dial" }, this.#ring.element, face),
      h(
        "div",
        { class: "controls" },
        this.#toggle,
        button("+5 min", run("extend", { seconds: FIVE_MINUTES_S })),
        button("Finish", run("finish")),
        button("Cancel", () => actions.cancel(this.#session), "quiet danger"),
      ),
      this.#tasks.element,
    );
    root.append(this.#card);
  }

  /** Show this session, or nothing. */
  update(session) {
    this.#session = session;
    this.#card.hidden = !session;
    if (!session) return this.#rest();
    setText(this.#title, session.title);
    setText(this.#toggle, this.#isPaused() ? "Resume" : "Pause");
    this.#card.dataset.status = session.timer.status;
    this.#tasks.update(session);
    return this.paint();
  }

  /** Milliseconds left of the session shown, by the server's clock; negative when overdue. */
  left() {
    const { ends_at, remaining_ms } = this.#session.timer;
    return this.#isPaused() ? remaining_ms : Date.parse(ends_at) - this.#clock.now();
  }

  paint() {
    if (!this.#session) return;
    const left = this.left();
    this.#ring.paint(left, this.#session.timer.planned_ms);
    const text = digits(secondsLeft(left));
    const shown = `${text} ${this.#session.timer.version} ${left > 0}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    setText(this.#digits, text);
    this.#digits.classList.toggle("long", text.length > 5);
    setText(this.#label, this.#isPaused() ? "Paused" : left > 0 ? "Focusing" : "Ending…");
    setText(this.#ends, this.#isPaused() ? "" : `until ${timeOfDay(this.#session.timer.ends_at)}`);
    document.title = `${this.#isPaused() ? "❚❚ " : ""}${text} · ${this.#session.title}`;
  }

  #isPaused() {
    return this.#session.timer.status === "paused";
  }

  #rest() {
    this.#shown = null;
    document.title = "Space";
  }
}
