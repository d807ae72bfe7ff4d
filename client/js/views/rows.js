/** A session in a list: one that is ready is edited in place, one that has ended leads to its page. */

import { h, newId, setText } from "../dom.js";
import { day, focused, minutes, timeOfDay } from "../format.js";
import { icon } from "../icons.js";
import { porthole } from "./drawings.js";
import { pathOf } from "./detail.js";
import { editable } from "./editable.js";
import { tasksView } from "./tasks.js";

/** `{element, update(session)}` */
export function readyRow(first, actions) {
  let session = first;
  const title = editable(h("h4", {}), {
    what: "title",
    props: { maxlength: 100 },
    save: (text) => actions.edit(session, { title: text }),
  });
  const length = editable(h("span", {}), {
    what: "minutes",
    props: { type: "number", min: 1, max: 1440 },
    save: (duration) => actions.edit(session, { duration }),
  });
  const start = button("quiet slim", "play", word("Start"), () => actions.start(session));
  const remove = button("plain icon danger", "trash", "", () => actions.remove(session));
  const tasks = tasksView(actions);
  const panel = h("div", { id: newId("tasks"), class: "unfolded", hidden: true }, tasks.element);
  const toggle = h("button", { type: "button", class: "toggle small", "aria-controls": panel.id });
  const unfold = (wanted) => {
    panel.hidden = !wanted;
    toggle.setAttribute("aria-expanded", String(wanted));
  };
  toggle.addEventListener("click", () => unfold(panel.hidden));
  unfold(false);
  const what = h("div", {}, title.element, h("div", { class: "meta" }, length.element, toggle));
  const mark = h("span", { class: "mark" }, h("span", { class: "dot-ready" }));
  const buttons = h("div", { class: "row tight" }, start, remove);
  const element = h("li", { class: "session", "data-status": "ready" }, mark, what, buttons, panel);

  const update = (state) => {
    session = state;
    title.update(state.title);
    length.update(state.duration, minutes(state.duration), { of: state.title });
    setText(toggle, taskCount(state.tasks) || "Add tasks");
    start.setAttribute("aria-label", `Start ${state.title}`);
    remove.setAttribute("aria-label", `Delete ${state.title}`);
    tasks.update(state);
  };
  return { element, update };
}

/** `{element, update(session)}`; `store` knows the star of the session. */
export function endedRow(first, actions, store) {
  let session = first;
  let drawn; // id of the body in the mark
  const mark = h("span", { class: "mark" });
  const title = h("a", { href: pathOf(first.id) });
  const meta = h("p", { class: "meta" });
  const repeat = button("plain icon", "repeat", "", () => actions.repeat(session));
  const what = h("div", {}, h("h4", {}, title), meta);
  const element = h("li", { class: "session" }, mark, what, repeat);

  const update = (state) => {
    session = state;
    element.dataset.status = state.timer.status;
    setText(title, state.title);
    setText(meta, about(state));
    repeat.title = "Repeat";
    repeat.setAttribute("aria-label", `Repeat ${state.title}`);
    const space = store.spaceOf(state.id);
    if (drawn === (space?.id ?? null)) return;
    drawn = space?.id ?? null;
    mark.replaceChildren(space ? porthole(space) : h("span", { class: "dot-cancelled" }));
  };
  return { element, update };
}

function button(kind, glyph, text, onclick) {
  return h("button", { type: "button", class: kind, onclick }, icon(glyph), text);
}

const word = (text) => h("span", { class: "word" }, text);

function about({ tasks, timer }) {
  const when = `${day(timer.ended_at)}, ${timeOfDay(timer.ended_at)}`;
  const parts = [when, focused(timer.focused_ms), timer.status, taskCount(tasks)];
  return parts.filter(Boolean).join(" · ");
}

function taskCount(tasks) {
  if (!tasks.length) return "";
  const done = tasks.filter((task) => task.done).length;
  return `${done} of ${tasks.length} ${tasks.length === 1 ? "task" : "tasks"}`;
}
