/** The tasks of a session: tick, edit in place, add, delete. */

import { field, h, setText, showList } from "../dom.js";
import { minutes } from "../format.js";
import { icon } from "../icons.js";
import { isEnded } from "../store.js";
import { editable } from "./editable.js";

/** `{element, update(session), clear()}`; `actions` change things. */
export function tasksView(actions, { heading } = {}) {
  const views = new Map();
  const list = h("ul", { class: "tasks" });
  const title = field("Task", { required: true, maxlength: 100, placeholder: "Add a task" });
  const length = field("Minutes", { type: "number", min: 1, max: 1440, required: true, value: 5 });
  const [left, done] = [h("span", {}), h("span", {})];
  const budget = h("p", { class: "budget muted small" }, done, left);
  const add = h("button", { class: "quiet" }, icon("plus"), "Add");
  const form = h("form", { class: "add-task" }, title.element, length.element, add);
  let session = null;
  let busy = false;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const task = { title: title.input.value.trim(), duration: Number(length.input.value) };
    if (!task.title || busy) return;
    busy = true;
    if (await actions.addTask(session, task)) title.input.value = "";
    busy = false;
    title.input.focus();
  });

  const make = (task) => row(task, () => session, actions);
  const clear = () => {
    showList(list, [], views, make);
    title.input.value = "";
    [length.input.value, session] = [5, null];
  };
  const update = (state) => {
    if (session && session.id !== state.id) clear(); // the unfinished input was for the other one
    session = state;
    showList(list, state.tasks, views, make);
    const planned = state.tasks.reduce((sum, task) => sum + task.duration, 0);
    setText(done, `${state.tasks.filter((task) => task.done).length} of ${state.tasks.length} done`);
    setText(left, `${minutes(planned)} of ${minutes(state.duration)} planned`);
    budget.hidden = state.tasks.length === 0;
    form.hidden = isEnded(state) || planned >= state.duration;
  };
  const element = h("div", { class: "tasks-panel" }, heading && h("h3", {}, heading), list, budget, form);
  return { element, update, clear };
}

function row(first, session, actions) {
  let task = first;
  const box = h("input", { type: "checkbox" });
  const title = editable(h("span", { class: "task-title" }), {
    what: "title",
    props: { maxlength: 100 },
    save: (text) => actions.editTask(session(), task, { title: text }),
  });
  const time = editable(h("span", { class: "task-time" }), {
    what: "minutes",
    props: { type: "number", min: 1, max: 1440 },
    save: (duration) => actions.editTask(session(), task, { duration }),
  });
  const remove = h("button", { class: "plain icon", type: "button" }, icon("cross"));
  box.addEventListener("change", async () => {
    const done = box.checked;
    if (!(await actions.tickTask(session(), task, done))) box.checked = !done;
  });
  remove.addEventListener("click", () => actions.removeTask(session(), task));
  const tick = h("label", { class: "tick" }, box);
  const element = h("li", {}, tick, title.element, time.element, remove);
  const update = (state) => {
    task = state;
    const locked = isEnded(session());
    box.checked = task.done;
    box.setAttribute("aria-label", task.title);
    title.update(task.title, task.title, { locked });
    time.update(task.duration, minutes(task.duration), { of: task.title, locked });
    remove.setAttribute("aria-label", `Delete the task ${task.title}`);
    remove.hidden = locked;
    element.classList.toggle("done", task.done);
  };
  return { element, update };
}
