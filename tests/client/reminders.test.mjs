import assert from "node:assert/strict";
import { test } from "node:test";

import { read, written } from "../../client/js/reminders.js";

test("a number alone is minutes", () => {
  assert.deepEqual(read("5, 1"), [300, 60]);
  assert.deepEqual(read("0.5"), [30]);
});

test("seconds, minutes and hours can be written, each once and in any order", () => {
  assert.deepEqual(read("30 s, 5 min; 1h, 5m, 30SEC"), [3600, 300, 30]);
});

test("an empty text is no reminder", () => {
  assert.deepEqual(read("  "), []);
  assert.deepEqual(read("5 min, "), [300]);
});

test("an unreadable text is not guessed", () => {
  for (const text of ["soon", "5 min 1 min", "-5", "5 days", "five", "1e3"]) {
    assert.equal(read(text), null, text);
  }
});

test("written reminders are read as the same", () => {
  assert.equal(written([3600, 300, 90, 30]), "1 h, 5 min, 90 s, 30 s");
  for (const offsets of [[86_400, 300, 60], [61, 1], []]) {
    assert.deepEqual(read(written(offsets)), offsets);
  }
});
