/** Everything that the user can do, and the message where it fails. */

import { ask } from "./api.js";
import { uuid } from "./random.js";
import { insist, say, warn } from "./views/messages.js";
import { confirm } from "./views/confirm.js";

export class Actions {
  #store;
  #commands;
  #socket;
  #copying = new Set(); // a button that is pressed twice acts once

  constructor({ store, commands, socket }) {
    this.#store = store;
    this.#commands = commands;
    this.#socket = socket;
  }

  /** Field errors, or null where the session was created. */
  async create(draft, tasks, start) {
    let session;
    try {
      session = await post("/sessions/", { ...draft, sound: "" });
    } catch (error) {
      if (!error.body?.title && !error.body?.duration) warn(error);
      return error.body ?? {};
    }
    this.#store.adopt(session);
    const added = await attempt(async () => {
      for (const task of tasks) await post(`/sessions/${session.id}/tasks/`, task);
      if (tasks.length) await this.#reload(session.id);
    });
    if (added && start) await this.start(this.#store.session(session.id));
    else if (added) say(`“${session.title}” is ready when you are.`);
    return null;
  }

  command(session, action, extra) {
    return attempt(() => this.#commands.run(session, action, extra));
  }

  start(session) {
    return attempt(async () => {
      try {
        await this.#commands.run(session, "start");
      } catch (error) {
        if (error.code !== "another_session_is_active") throw error;
        await this.#replace(session);
      }
    });
  }

  async cancel(session) {
    const sure = await confirm({
      title: "Cancel this session?",
      text: `“${session.title}” will stop here and leave nothing in your sky.`,
      yes: "Cancel the session",
      no: "Keep going",
      destroys: true,
    });
    const now = this.#store.session(session.id); // it may have changed while the dialog was open
    if (sure && now) await this.command(now, "cancel");
  }

  repeat(session) {
    return this.#copy(session, (copy) => say(`“${copy.title}” is ready when you are.`));
  }

  startAgain(session) {
    return this.#copy(session, (copy) => this.start(copy));
  }

  async remove(session) {
    const sure = await confirm({
      title: "Delete this session?",
      text: `“${session.title}”, its tasks and what it left in the sky will be gone.`,
      yes: "Delete",
      no: "Keep it",
      destroys: true,
    });
    if (!sure) return;
    await attempt(async () => {
      await ask("DELETE", `/sessions/${session.id}/`);
      this.#store.remove(session.id);
    });
  }

  /** Null where it was saved, else the reason as a sentence. */
  edit(session, changes) {
    return saved(changes, async () => {
      this.#store.adopt(await ask("PATCH", `/sessions/${session.id}/`, changes));
    });
  }

  editTask(session, task, changes) {
    return saved(changes, async () => {
      await ask("PATCH", `/sessions/${session.id}/tasks/${task.id}/`, changes);
      await this.#reload(session.id); // so that the old text does not come back for a moment
    });
  }

  addTask(session, task) {
    return this.#change(session, () => post(`/sessions/${session.id}/tasks/`, task));
  }

  tickTask(session, task, done) {
    const path = `/sessions/${session.id}/tasks/${task.id}/`;
    return this.#change(session, () => ask("PATCH", path, { done }));
  }

  removeTask(session, task) {
    return this.#change(session, () => ask("DELETE", `/sessions/${session.id}/tasks/${task.id}/`));
  }

  /** Fetches the current state of one session. */
  async #reload(id) {
    this.#store.adopt(await ask("GET", `/sessions/${id}/`));
  }

  #change(session, work) {
    return attempt(async () => {
      await work();
      if (!this.#socket.connected) await this.#reload(session.id); // else the change arrives there
    });
  }

  async #copy(session, then) {
    if (this.#copying.has(session.id)) return;
    this.#copying.add(session.id);
    await attempt(async () => {
      const copy = await post(`/sessions/${session.id}/repeat/`, {});
      this.#store.adopt(copy);
      await then(copy);
    });
    this.#copying.delete(session.id);
  }

  async #replace(session) {
    const other = this.#store.active();
    const sure = await confirm({
      title: "Another session is active",
      text: `Finish ${other ? `“${other.title}”` : "it"} now and start “${session.title}”?`,
      yes: "Finish it and start",
    });
    const now = this.#store.session(session.id);
    if (sure && now) await this.#commands.run(now, "start", { replace: true });
    else if (now) say(`“${session.title}” waits in the list.`);
  }
}

const post = (path, body) => ask("POST", path, body, { key: uuid() });

async function saved(changes, work) {
  try {
    await work();
    return null;
  } catch (error) {
    if (error.status === undefined) throw error;
    const [field] = Object.keys(changes);
    return error.body[field]?.[0] ?? error.message;
  }
}

/** True where it worked; else a message gives the reason. */
async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    if (error.code === "stale_version") warn("This had just changed elsewhere. Please look again.");
    else if (error.status !== undefined) warn(error);
    else insist("This page has a fault. Please reload it.");
    if (error.status === undefined) throw error; // a fault of this page: the console shows it
    return false;
  }
}
