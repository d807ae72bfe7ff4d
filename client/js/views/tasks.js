/** The tasks of a session: tick, add, delete. */

import { field, h, setText, showList } from "../dom.js";
import { minutes } from "../format.js";
import { isEnded } from "../store.js";

/** `{element, update(session)}`; `actions` change things. */
export function tasksView(actions) {
  const views = new Map();
  const list = h("ul", { class: "tasks" });
  const title = field("Task", { required: true, maxlength: 100, placeholder: "Add a task" });
  const length = field("Minutes", { type: "number", min: 1, max: 1440, required: true, value: 5 });
  const left = h("p", { class: "muted small" });
  const form = h(
    "form",
    { class: "add-task" },
    title.element,
    length.element,
    h("button", { class: "quiet" }, "Add"),
  );
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
  const update = (state) => {
    session = state;
    showList(list, state.tasks, views, make);
    const planned = state.tasks.reduce((sum, task) => sum + task.duration, 0);
    setText(left, `${minutes(planned)} of ${minutes(state.duration)} planned`);
    left.hidden = state.tasks.length === 0;
    form.hidden = isEnded(state) || planned >= state.duration;
  };
  return { element: h("div", { class: "tasks-panel" }, list, left, form), update };
}

function row(first, session, actions) {
  let task = first;
  const box = h("input", { type: "checkbox" });
  const name = h("span", { class: "task-title" });
  const time = h("span", { class: "muted small" });
  const remove = h("button", { class: "close", type: "button" }, "×");
  box.addEventListener("change", async () => {
    const done = box.checked;
    if (!(await actions.tickTask(session(), task, done))) box.checked = !done;
  });
  remove.addEventListener("click", () => actions.removeTask(session(), task));
  const element = h("li", {}, h("label", {}, box, name), time, remove);
  const update = (state) => {
    task = state;
    box.checked = task.done;
    setText(name, task.title);
    setText(time, minutes(task.duration));
    remove.setAttribute("aria-label", `Delete the task ${task.title}`);
    element.classList.toggle("done", task.done);
  };
  return { element, update };
}
