/** One session in full, over the page: where a star, a planet or a row leads. `#session-12` is its address. */

import { ask } from "../api.js";
import { h, setText } from "../dom.js";
import { day, focused, minutes, timeOfDay } from "../format.js";
import { icon } from "../icons.js";
import { written } from "../reminders.js";
import { isActive, isEnded } from "../store.js";
import { portrait } from "./drawings.js";
import { editable } from "./editable.js";
import { sentences } from "./log.js";
import { tasksView } from "./tasks.js";

const ADDRESS = /^#session-(\d+)$/;

export const pathOf = (id) => `#session-${id}`;

export class Detail {
  #store;
  #actions;
  #dialog = null;
  #id = null;
  #version = null;
  #parts = null;

  constructor({ store, actions }) {
    this.#store = store;
    this.#actions = actions;
    addEventListener("hashchange", () => this.#follow());
  }

  close() {
    this.#dialog?.close();
  }

  /** After each change of the store: the lists have come, or this session has moved on. */
  update() {
    if (!this.#dialog) return this.#follow();
    const session = this.#store.session(this.#id);
    if (!session && this.#version !== null) return this.close(); // it was deleted
    if (session && session.timer.version !== this.#version) this.#show(session);
  }

  async #follow() {
    const id = Number(ADDRESS.exec(location.hash)?.[1] ?? 0);
    if (id === this.#id || !this.#store.loaded) return;
    this.close();
    if (!id) return;
    this.#open(id);
    if (this.#store.session(id)) return this.#show(this.#store.session(id));
    try {
      this.#store.adopt(await ask("GET", `/sessions/${id}/`));
    } catch (error) {
      if (this.#id === id) setText(this.#parts.status, error.status === 404 ? "There is no such session." : error.message);
    }
  }

  #open(id) {
    [this.#id, this.#version] = [id, null];
    const opener = document.activeElement;
    this.#parts = this.#build();
    const shut = h("button", { type: "button", class: "close", "aria-label": "Close" }, icon("cross"));
    shut.addEventListener("click", () => this.close());
    const { sky, inside } = this.#parts;
    this.#dialog = h("dialog", { class: "detail", "aria-label": "Session" }, sky, inside);
    sky.append(shut);
    const dialog = this.#dialog;
    dialog.addEventListener("close", () => this.#closed(dialog, opener));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    document.body.append(dialog);
    dialog.showModal();
  }

  /** The browser sends this event late; the next session may be open by then. */
  #closed(dialog, opener) {
    dialog.remove();
    if (dialog !== this.#dialog) return;
    [this.#dialog, this.#id, this.#version] = [null, null, null];
    if (ADDRESS.test(location.hash)) history.replaceState(null, "", location.pathname);
    if (opener?.isConnected) opener.focus();
  }

  #build() {
    const current = () => this.#store.session(this.#id);
    const title = editable(h("h2", {}), {
      what: "title",
      props: { maxlength: 100 },
      save: (text) => this.#actions.edit(current(), { title: text }),
    });
    const act = (glyph, text, kind, work) =>
      h("button", { type: "button", class: kind, onclick: () => work(current()) }, icon(glyph), text);
    const parts = {
      sky: h("div", { class: "night" }),
      status: h("p", { class: "muted", role: "status" }, "Loading…"),
      title,
      facts: h("dl", { class: "facts" }),
      tasks: tasksView(this.#actions, { heading: "Tasks" }),
      log: h("ol", { class: "log" }),
      repeat: act("repeat", "Repeat", "quiet", (session) => {
        this.close();
        this.#actions.repeat(session);
      }),
      remove: act("trash", "Delete", "plain danger", (session) => this.#actions.remove(session)),
    };
    const log = h("details", {}, h("summary", {}, "What happened"), parts.log);
    const buttons = h("div", { class: "row between" }, parts.repeat, parts.remove);
    const rest = [title.element, parts.status, parts.facts, parts.tasks.element, log, buttons];
    parts.rest = rest.filter((element) => element !== parts.status);
    parts.rest.forEach((element) => (element.hidden = true));
    parts.inside = h("div", { class: "inside" }, rest);
    return parts;
  }

  #show(session) {
    const { sky, status, title, facts, tasks, rest, repeat, remove } = this.#parts;
    this.#version = session.timer.version;
    rest.forEach((element) => (element.hidden = false));
    status.hidden = true;
    const space = this.#store.spaceOf(session.id);
    sky.querySelector(".portrait")?.remove();
    if (space) sky.prepend(portrait(space));
    title.update(session.title);
    facts.replaceChildren(...factsOf(session, space).flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
    tasks.update(session);
    tasks.element.hidden = isEnded(session) && session.tasks.length === 0;
    repeat.hidden = !isEnded(session);
    remove.hidden = isActive(session);
    this.#loadLog(session.id);
  }

  async #loadLog(id) {
    try {
      const entries = await ask("GET", `/sessions/${id}/events/`);
      if (this.#id !== id) return;
      const line = ({ at, text }) => h("li", {}, h("time", { datetime: at }, timeOfDay(at)), h("span", {}, text));
      this.#parts.log.replaceChildren(...sentences(entries).map(line));
    } catch {
      this.#parts?.log.replaceChildren(h("li", {}, "This could not be loaded."));
    }
  }
}

function factsOf({ duration, reminders, timer }, space) {
  const planned = minutes(Math.round(timer.planned_ms / 60_000));
  const from = timer.started_at && timeOfDay(timer.started_at);
  const when = timer.started_at
    ? `${day(timer.started_at)}, ${from}${timer.ended_at ? ` to ${timeOfDay(timer.ended_at)}` : ""}`
    : "not started";
  const offsets = reminders && written(reminders);
  return [
    ["Status", space ? `${timer.status}, and a ${space.type} in your sky` : timer.status],
    ["When", when],
    ["Focused", `${focused(timer.focused_ms)} of ${timer.started_at ? planned : minutes(duration)}`],
    reminders && ["Reminders", offsets ? `${offsets} before the end` : "none"],
  ].filter(Boolean);
}
