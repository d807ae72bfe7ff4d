/** The running countdown: ring, digits, buttons. */

import { h, setText } from "../dom.js";
import { digits, listed, nextPaintIn, secondsLeft, timeOfDay } from "../format.js";
import { icon } from "../icons.js";
import { written } from "../reminders.js";
import { editable } from "./editable.js";
import { Ring } from "./ring.js";

const FIVE_MINUTES_S = 300;

export class Timer {
  #clock;
  #session = null;
  #shown = null; // the text of the digits, so that a frame without a change writes nothing
  #ring = new Ring();
  #title;
  #digits = h("div", { class: "digits", role: "timer", "aria-label": "Time left" });
  #label = h("div", { class: "timer-label" });
  #ends = h("div", { class: "timer-ends muted" });
  #reminders = h("p", { class: "reminders muted small" });
  #toggle = h("button", { type: "button", class: "primary" });
  #card;

  constructor(root, { clock, actions }) {
    this.#clock = clock;
    this.#title = editable(h("h2", { class: "timer-title" }), {
      what: "title",
      props: { maxlength: 100 },
      save: (title) => actions.edit(this.#session, { title }),
    });
    const run = (action, extra) => () => actions.command(this.#session, action, extra);
    const button = (name, text, work, kind = "quiet") =>
      h("button", { type: "button", class: kind, onclick: work }, name && icon(name), text);
    this.#toggle.addEventListener("click", () => run(this.#isPaused() ? "resume" : "pause")());
    const face = h("div", { class: "face" }, this.#label, this.#digits, this.#ends);
    this.#card = h(
      "div",
      { class: "timer", hidden: true },
      this.#title.element,
      h("div", { class: "dial" }, this.#ring.element, face),
      this.#reminders,
      h(
        "div",
        { class: "controls" },
        this.#toggle,
        button(null, "+5 min", run("extend", { seconds: FIVE_MINUTES_S })),
        button("check", "Finish", run("finish")),
        button("cross", "Cancel", () => actions.cancel(this.#session), "quiet danger"),
      ),
    );
    root.append(this.#card);
  }

  /** Show this session, or nothing. `reminders`: seconds before the end. */
  update(session, reminders = []) {
    if (session?.id !== this.#session?.id) this.#title.shut();
    this.#session = session;
    this.#card.hidden = !session;
    if (!session) return this.#rest();
    this.#title.update(session.title);
    const paused = this.#isPaused();
    this.#toggle.replaceChildren(icon(paused ? "play" : "pause"), paused ? "Resume" : "Pause");
    this.#card.dataset.status = session.timer.status;
    this.#remind(reminders.map((offset) => offset * 1000));
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

  /** Milliseconds until there is something new to paint; null while nothing moves. */
  nextIn() {
    if (!this.#session || this.#isPaused()) return null;
    const left = this.left();
    return left > 0 ? nextPaintIn(left, this.#session.timer.planned_ms, this.#ring.isStill) : null;
  }

  #remind(offsets) {
    const planned = this.#session.timer.planned_ms;
    this.#ring.remind(offsets, planned);
    const coming = offsets.filter((offset) => offset < planned).sort((a, b) => b - a);
    const text = listed(coming.map((offset) => written([offset / 1000])));
    this.#reminders.replaceChildren(icon("bell"), h("span", {}, `Reminders ${text} before the end`));
    this.#reminders.hidden = coming.length === 0;
  }

  #isPaused() {
    return this.#session.timer.status === "paused";
  }

  #rest() {
    this.#shown = null;
    this.#title.update("");
    document.title = "Space";
  }
}
