import assert from "node:assert/strict";
import { test } from "node:test";

import { delay } from "../../client/js/backoff.js";
import { verdict } from "../../client/js/close_codes.js";

const latest = (attempt) => delay(attempt, () => 1);

test("the longest wait doubles from half a second", () => {
  assert.deepEqual([0, 1, 2, 3].map(latest), [500, 1000, 2000, 4000]);
});

test("no wait is longer than thirty seconds", () => {
  assert.deepEqual([6, 7, 50, 2000].map(latest), [30_000, 30_000, 30_000, 30_000]);
});

test("the jitter is full: a wait may be anything from nothing to the longest", () => {
  assert.equal(delay(3, () => 0), 0);
  assert.equal(delay(3, () => 0.25), 1000);
  const waits = Array.from({ length: 2000 }, () => delay(4));
  assert.ok(waits.every((wait) => wait >= 0 && wait < 8000));
  const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
  assert.ok(Math.abs(mean - 4000) < 400, `mean ${mean}`);
});

test("a client stops where it would only be refused again", () => {
  assert.deepEqual([4400, 4403, 4409, 4413].map(verdict), ["stop", "stop", "stop", "stop"]);
});

test("a client that is no longer authenticated renews its token", () => {
  assert.equal(verdict(4401), "renew");
});

test("a client that sent too much comes back slowly", () => {
  assert.equal(verdict(4429), "slowly");
});

test("after everything else a client comes back", () => {
  const rest = [1000, 1001, 1002, 1006, 1009, 1011, 1012, 4408, 4500, 4503, 4508];
  assert.ok(rest.every((code) => verdict(code) === "return"));
});
