/** The end of a session: its star or planet, large. */

import { h } from "../dom.js";
import { focused } from "../format.js";
import { icon } from "../icons.js";
import { portrait } from "./drawings.js";

export class Ended {
  #root;
  #actions;
  #dismissed;
  #session = null;

  constructor(root, { actions, dismissed }) {
    this.#root = root;
    this.#actions = actions;
    this.#dismissed = dismissed;
  }

  get isShown() {
    return this.#session !== null;
  }

  /** Show the end of this session until it is dismissed or another one starts. */
  show(session, space) {
    this.#session = session;
    const done = h("button", { type: "button", class: "quiet" }, "Done");
    const again = h("button", { type: "button", class: "primary" }, icon("repeat"), "Start again");
    done.addEventListener("click", () => {
      this.hide();
      this.#dismissed();
    });
    again.addEventListener("click", () => this.#actions.startAgain(session));
    this.#root.replaceChildren(
      h(
        "div",
        { class: "ended" },
        space && portrait(space),
        h("h2", {}, session.title),
        h("p", {}, sentence(session, space)),
        h("div", { class: "row center" }, again, done),
      ),
    );
  }

  hide() {
    this.#session = null;
    this.#root.replaceChildren();
  }

  /** The session was deleted, or its star arrived after it. */
  update(store) {
    if (!this.#session) return;
    const space = store.spaceOf(this.#session.id);
    if (!store.session(this.#session.id)) this.hide();
    else if (space && !this.#root.querySelector(".portrait")) this.show(this.#session, space);
  }
}

export function sentence(session, space) {
  const time = focused(session.timer.focused_ms);
  const how = session.timer.status === "completed" ? "Time is up" : "Finished";
  return `${how}: ${time} of focus${space ? `, and a new ${space.type} in your sky` : ""}.`;
}
