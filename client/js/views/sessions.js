/** The lists of sessions: the ready ones, and the ended ones. */

import { h, showList } from "../dom.js";
import { isEnded, isReady } from "../store.js";
import { endedRow, readyRow } from "./rows.js";

const ENDED_SHOWN = 8;
const MORE = 20;

export class Sessions {
  slot = h("div", { class: "slot" }); // where the form for a new session waits while one runs
  #ready;
  #ended;
  #more = h("button", { type: "button", class: "plain more" }, "Show earlier ones");
  #failed;
  #shown = ENDED_SHOWN;
  #store = null;

  constructor(root, { actions, lists }) {
    const heading = h("h2", { id: "sessions-heading" }, "Sessions");
    const again = h("button", { type: "button", class: "quiet slim", onclick: lists.again }, "Try again");
    const sorry = "Your sessions could not be loaded. Trying again by itself.";
    this.#failed = h("div", { class: "empty stack" }, h("p", {}, sorry), h("p", {}, again));
    this.#ready = new Group("Up next", "Nothing is planned. “Save for later” puts a session here.", (session) =>
      readyRow(session, actions));
    this.#ended = new Group("Earlier", "What you finish is kept here, and shines in your sky.", (session) =>
      endedRow(session, actions, this.#store));
    this.#ready.element.firstChild.after(this.slot);
    this.#ended.element.append(this.#failed, this.#more);
    this.#more.addEventListener("click", () => this.#showMore(lists));
    root.replaceChildren(heading, this.#ready.element, this.#ended.element);
  }

  update(store) {
    this.#store = store;
    const sessions = store.sessions();
    const ended = sessions.filter(isEnded);
    this.#failed.hidden = !store.failed || store.loaded;
    this.#ready.update(sessions.filter(isReady), store);
    this.#ended.update(ended.slice(0, this.#shown), store);
    this.#more.hidden = ended.length <= this.#shown && !store.older;
  }

  async #showMore(lists) {
    this.#shown += MORE;
    this.#more.disabled = true;
    const ended = this.#store.sessions().filter(isEnded);
    if (ended.length < this.#shown && this.#store.older) await lists.more();
    this.#more.disabled = false;
    this.update(this.#store);
  }
}

/** One of the two lists, under its heading. */
class Group {
  #views = new Map();
  #make;
  #list = h("ul", { class: "sessions" });
  #ghosts = h("div", { class: "stack", "aria-hidden": "true" }, [1, 2, 3].map(() => h("div", { class: "ghost" })));
  #empty;

  constructor(name, empty, make) {
    this.#make = make;
    const heading = h("h3", {}, name);
    this.#list.setAttribute("aria-label", name);
    this.#empty = h("p", { class: "empty" }, empty);
    this.element = h("div", { class: "group" }, heading, this.#ghosts, this.#empty, this.#list);
  }

  update(sessions, { loaded, failed }) {
    showList(this.#list, sessions, this.#views, this.#make);
    const none = sessions.length === 0;
    this.#ghosts.hidden = loaded || failed || !none;
    this.#empty.hidden = !loaded || !none;
  }
}
