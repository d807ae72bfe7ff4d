/** A new session: title, minutes, tasks; start it now or keep it for later. */

import { field, h, setText } from "../dom.js";
import { minutes } from "../format.js";

const COMMON = [15, 25, 50, 90];

export class Compose {
  #actions;
  #tasks = [];
  #busy = false;
  #title = field("What will you focus on?", {
    name: "title",
    required: true,
    maxlength: 100,
    autocomplete: "off",
    placeholder: "Write the first chapter",
  });
  #minutes = field("Minutes", {
    name: "duration",
    type: "number",
    inputmode: "numeric",
    min: 1,
    max: 1440,
    step: 1,
    required: true,
    value: 25,
  });
  #task = field("Task (optional)", { maxlength: 100, autocomplete: "off" });
  #taskMinutes = field("Minutes", { type: "number", min: 1, max: 1440, value: 5 });
  #list = h("ul", { class: "tasks" });
  #sum = h("p", { class: "muted small", "aria-live": "polite" });
  #details;

  constructor(root, { actions }) {
    this.#actions = actions;
    const add = h("button", { type: "button", class: "quiet" }, "Add");
    add.addEventListener("click", () => this.#addTask());
    this.#task.input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !this.#task.input.value.trim()) return;
      event.preventDefault(); // Enter here adds the task; elsewhere it starts the session
      this.#addTask();
    });
    const form = h(
      "form",
      { class: "stack" },
      this.#title.element,
      h("div", { class: "row length" }, this.#minutes.element, this.#chips()),
      h("div", { class: "add-task" }, this.#task.element, this.#taskMinutes.element, add),
      this.#list,
      this.#sum,
      h(
        "div",
        { class: "row" },
        h("button", { class: "primary wide", value: "start" }, "Start"),
        h("button", { class: "quiet", value: "later" }, "Save for later"),
      ),
    );
    form.addEventListener("submit", (event) => this.#submit(event));
    this.#details = h("details", { class: "card", open: true }, h("summary", {}, "New session"), form);
    root.replaceChildren(this.#details);
  }

  /** Open while nothing runs, out of the way while something does. */
  open(wanted) {
    this.#details.open = wanted;
  }

  #chips() {
    const chip = (value) => {
      const use = () => (this.#minutes.input.value = value);
      const label = `${value} minutes`;
      return h("button", { type: "button", class: "chip", "aria-label": label, onclick: use }, value);
    };
    return h("div", { class: "chips", role: "group", "aria-label": "Common lengths" }, COMMON.map(chip));
  }

  #addTask() {
    const task = {
      title: this.#task.input.value.trim(),
      duration: Number(this.#taskMinutes.input.value),
    };
    if (!task.title) return this.#task.fail("Give the task a name.");
    if (!Number.isInteger(task.duration) || task.duration < 1) {
      return this.#taskMinutes.fail("Whole minutes.");
    }
    this.#tasks.push(task);
    this.#task.input.value = "";
    this.#task.input.focus();
    return this.#showTasks();
  }

  #showTasks() {
    const row = (task) => {
      const remove = h("button", { type: "button", class: "close" }, "×");
      remove.setAttribute("aria-label", `Remove the task ${task.title}`);
      remove.addEventListener("click", () => {
        this.#tasks = this.#tasks.filter((other) => other !== task);
        this.#showTasks();
      });
      const time = h("span", { class: "muted small" }, minutes(task.duration));
      return h("li", {}, h("span", { class: "task-title" }, task.title), time, remove);
    };
    this.#list.replaceChildren(...this.#tasks.map(row));
    setText(this.#sum, this.#tasks.length ? `${minutes(this.#planned())} planned` : "");
  }

  #planned() {
    return this.#tasks.reduce((sum, task) => sum + task.duration, 0);
  }

  async #submit(event) {
    event.preventDefault();
    if (this.#busy) return;
    const draft = { title: this.#title.input.value.trim(), duration: Number(this.#minutes.input.value) };
    if (!draft.title) return void this.#title.fail("Give the session a name.");
    if (this.#planned() > draft.duration) {
      return void this.#minutes.fail(`The tasks need ${minutes(this.#planned())}.`);
    }
    this.#busy = true;
    const start = event.submitter?.value !== "later";
    const errors = await this.#actions.create(draft, this.#tasks, start);
    this.#busy = false;
    if (!errors) return this.#reset();
    this.#title.fail(errors.title?.[0]);
    this.#minutes.fail(errors.duration?.[0]);
  }

  #reset() {
    this.#title.input.value = "";
    this.#tasks = [];
    this.#showTasks();
  }
}
