import assert from "node:assert/strict";
import { test } from "node:test";

import { sentences } from "../../client/js/views/log.js";

const entry = (kind, data = {}, device = "Laptop") => ({ kind, data, device, at: "2026-11-22T10:00:00Z" });
const texts = (...entries) => sentences(entries).map((line) => line.text);

test("each kind of entry is a sentence, with the device that did it", () => {
  assert.deepEqual(texts(entry("created"), entry("extended", { seconds: 300 }, "Phone"), entry("completed", {}, "")), [
    "Planned, on Laptop",
    "Extended by 5 min, on Phone",
    "The time was up",
  ]);
});

test("edits of tasks one after the other are one line", () => {
  const edited = entry("tasks_edited", { what: "added" });
  assert.deepEqual(texts(edited, edited, edited, entry("started")), [
    "A task was added, on Laptop (3 times)",
    "Started, on Laptop",
  ]);
});

test("a kind that this page does not know is shown as it is called", () => {
  assert.deepEqual(texts(entry("handed_over", {}, "")), ["handed over"]);
});
