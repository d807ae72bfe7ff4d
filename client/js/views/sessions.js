/** The list of sessions: what runs, what is ready, what has ended. */

import { h, newId, setText, showList, svg } from "../dom.js";
import { day, focused, minutes, timeOfDay } from "../format.js";
import { isActive, isEnded, isReady } from "../store.js";
import { body } from "./bodies.js";
import { tasksView } from "./tasks.js";

const ENDED_SHOWN = 8;

export class Sessions {
  #actions;
  #views = new Map();
  #list = h("ul", { class: "sessions" });
  #empty = h("p", { class: "muted empty" }, "No sessions yet. The first one is two fields away.");
  #more = h("button", { type: "button", class: "quiet more" });
  #all = false;
  #store = null;

  constructor(root, { actions }) {
    this.#actions = actions;
    this.#more.addEventListener("click", () => {
      this.#all = true;
      this.update(this.#store);
    });
    const heading = h("h2", { id: "sessions-heading" }, "Sessions");
    this.#list.setAttribute("aria-labelledby", heading.id);
    root.replaceChildren(heading, this.#empty, this.#list, this.#more);
  }

  update(store) {
    this.#store = store;
    const sessions = store.sessions();
    const ended = sessions.filter(isEnded);
    const hidden = new Set(this.#all ? [] : ended.slice(ENDED_SHOWN));
    const shown = sessions.filter((session) => !hidden.has(session));
    showList(this.#list, shown, this.#views, () => row(this.#actions, store));
    this.#empty.hidden = sessions.length > 0 || !store.loaded;
    this.#more.hidden = hidden.size === 0;
    setText(this.#more, `Show ${hidden.size} earlier`);
  }
}

function row(actions, store) {
  let session = null;
  let drawn = null;
  const panelId = newId("tasks");
  const mark = h("span", { class: "mark" });
  const [title, meta] = [h("h3", {}), h("p", { class: "muted small" })];
  const button = (text, work) =>
    h("button", { type: "button", class: "quiet slim", onclick: work }, text);
  const start = button("Start", () => actions.start(session));
  const repeat = button("Repeat", () => actions.repeat(session));
  const remove = button("Delete", () => actions.remove(session));
  const tasks = tasksView(actions);
  const toggle = h("button", { type: "button", class: "toggle small", "aria-controls": panelId });
  const panel = h("div", { id: panelId, hidden: true }, tasks.element);
  const open = (wanted) => {
    panel.hidden = !wanted;
    toggle.setAttribute("aria-expanded", String(wanted));
  };
  toggle.addEventListener("click", () => open(panel.hidden));
  open(false);

  const what = h("div", { class: "what" }, title, h("div", { class: "row tight" }, meta, toggle));
  const buttons = h("div", { class: "row tight actions" }, start, repeat, remove);
  const element = h("li", { class: "session" }, mark, what, buttons, panel);

  const update = (state) => {
    session = state;
    element.dataset.status = state.timer.status;
    setText(title, state.title);
    setText(meta, about(state));
    setText(toggle, taskCount(state.tasks, isEnded(state)));
    toggle.hidden = isEnded(state) && state.tasks.length === 0;
    [start.hidden, repeat.hidden, remove.hidden] = [!isReady(state), !isEnded(state), isActive(state)];
    for (const each of [start, repeat, remove]) {
      each.setAttribute("aria-label", `${each.textContent} ${state.title}`);
    }
    tasks.update(state);
    const space = store.spaceOf(state.id);
    if (space && drawn !== space.id) mark.replaceChildren(porthole(space));
    drawn = space?.id ?? null;
  };
  return { element, update };
}

function about({ duration, timer }) {
  if (timer.status === "ready") return minutes(duration);
  if (!timer.ended_at) return `${minutes(Math.round(timer.planned_ms / 60_000))} · ${timer.status}`;
  const when = `${day(timer.ended_at)}, ${timeOfDay(timer.ended_at)}`;
  return `${focused(timer.focused_ms)} · ${timer.status} · ${when}`;
}

function taskCount(tasks, ended) {
  if (!tasks.length) return ended ? "" : "Tasks";
  const done = tasks.filter((task) => task.done).length;
  return `${done} of ${tasks.length} ${tasks.length === 1 ? "task" : "tasks"}`;
}

function porthole(space) {
  return svg(
    "svg",
    { viewBox: "-16 -16 32 32", role: "img", "aria-label": space.type },
    svg("circle", { r: 16, class: "night" }),
    body(space, space.type === "planet" ? 8 : 10),
  );
}
