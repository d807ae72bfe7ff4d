/** The log of a session, as sentences. */

import { minutes } from "../format.js";

const SENTENCES = {
  created: ({ repeats }) => (repeats ? "Made again from an earlier session" : "Planned"),
  edited: ({ fields = [] }) => `Edited: ${fields.join(", ") || "something"}`,
  tasks_edited: ({ what }) => `A task was ${what ?? "edited"}`,
  image_set: () => "A picture was set",
  started: () => "Started",
  paused: () => "Paused",
  resumed: () => "Resumed",
  extended: ({ seconds }) => (seconds ? `Extended by ${minutes(Math.round(seconds / 60))}` : "Extended"),
  finished: () => "Finished",
  completed: () => "The time was up",
  cancelled: () => "Cancelled",
};

/** `{at, text}` for an entry of `/sessions/{id}/events/`. Tasks one after the other are one line. */
export function sentences(entries) {
  const lines = [];
  for (const { kind, at, device, data } of entries) {
    const what = (SENTENCES[kind] ?? (() => kind.replaceAll("_", " ")))(data ?? {});
    const text = device ? `${what}, on ${device}` : what;
    const last = lines.at(-1);
    if (kind === "tasks_edited" && last?.text.startsWith(text)) {
      last.times += 1;
      last.text = `${text} (${last.times} times)`;
    } else {
      lines.push({ at, text, times: 1 });
    }
  }
  return lines;
}
