/** A new session: title, minutes, tasks; start it now or keep it for later. */

import { field, h, setText } from "../dom.js";
import { minutes } from "../format.js";
import { icon } from "../icons.js";
import { written } from "../reminders.js";

const COMMON = [15, 25, 50, 90];
const REMIND_S = [60, 300, 600];

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
  #reminders = h("div", { class: "chips", role: "group", "aria-label": "Remind me before the end" });
  #defaults = null; // the user's reminders, in seconds
  #details;
  #root;
  #place = null;

  constructor(root, { actions }) {
    this.#actions = actions;
    this.#root = root;
    const add = h("button", { type: "button", class: "quiet" }, icon("plus"), "Add");
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
      h("div", { class: "length" }, this.#minutes.element, this.#chips()),
      h("div", { class: "add-task" }, this.#task.element, this.#taskMinutes.element, add),
      this.#list,
      this.#sum,
      this.#reminders,
      h(
        "div",
        { class: "row" },
        h("button", { class: "primary wide", value: "start" }, icon("play"), "Start"),
        h("button", { class: "quiet", value: "later" }, "Save for later"),
      ),
    );
    form.addEventListener("submit", (event) => this.#submit(event));
    const summary = h("summary", {}, "New session");
    this.#details = h("details", { class: "compose", open: true }, summary, form);
    root.replaceChildren(this.#details);
  }

  /** The user is writing the next session: the form must not be folded or left. */
  get isInUse() {
    return this.#root.contains(document.activeElement) && this.#title.input.value !== "";
  }

  /** Put the form there, open or folded. What is there already stays as the user has it. */
  moveTo(place, open) {
    const key = `${place.className} ${open}`;
    if (key === this.#place) return;
    this.#place = key;
    const inside = this.#root.contains(document.activeElement) ? document.activeElement : null;
    if (!place.contains(this.#root)) place.append(this.#root);
    this.#details.open = open;
    if (open) inside?.focus(); // moving an element takes the focus from it
  }

  /** The user's own offsets, in seconds: the default of a session. */
  remindAsUsual(offsets) {
    if (String(offsets) === String(this.#defaults)) return;
    this.#defaults = offsets;
    this.#showReminders(offsets);
  }

  #showReminders(offsets) {
    const known = new Set([...REMIND_S, ...offsets]);
    const chip = (value) => {
      const pressed = offsets.includes(value);
      const text = written([value]);
      const toggle = ({ currentTarget: it }) =>
        it.setAttribute("aria-pressed", String(it.getAttribute("aria-pressed") !== "true"));
      const props = { type: "button", class: "chip", value, "aria-pressed": String(pressed), onclick: toggle };
      return h("button", { ...props, "aria-label": `${text} before the end` }, text);
    };
    const chips = [...known].sort((a, b) => a - b).map(chip);
    this.#reminders.replaceChildren(h("span", { class: "legend" }, "Remind me before the end"), ...chips);
  }

  /** Null where they are the usual ones. */
  #chosenReminders() {
    const chosen = [...this.#reminders.querySelectorAll('[aria-pressed="true"]')]
      .map((chip) => Number(chip.value))
      .sort((a, b) => b - a);
    return String(chosen) === String([...(this.#defaults ?? [])].sort((a, b) => b - a)) ? null : chosen;
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
      const remove = h("button", { type: "button", class: "plain icon" }, icon("cross"));
      remove.setAttribute("aria-label", `Remove the task ${task.title}`);
      remove.addEventListener("click", () => {
        this.#tasks = this.#tasks.filter((other) => other !== task);
        this.#showTasks();
      });
      const time = h("span", { class: "task-time" }, minutes(task.duration));
      return h("li", {}, h("span", { class: "task-title wide" }, task.title), time, remove);
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
    const draft = {
      title: this.#title.input.value.trim(),
      duration: Number(this.#minutes.input.value),
      reminders: this.#chosenReminders(),
    };
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

  /** Empty the form, for the next user. */
  clear() {
    for (const { input, fail } of [this.#title, this.#minutes, this.#task, this.#taskMinutes]) {
      input.value = input.defaultValue;
      fail("");
    }
    this.#defaults = null;
    this.#reset();
  }

  #reset() {
    this.#title.input.value = "";
    this.#tasks = [];
    this.#showTasks();
    this.#showReminders(this.#defaults ?? []);
  }
}
