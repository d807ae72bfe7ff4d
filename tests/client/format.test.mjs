import assert from "node:assert/strict";
import { test } from "node:test";

import { day, digits, focused, listed, minutes, nextPaintIn, secondsLeft } from "../../client/js/format.js";
import { seeded, uuid } from "../../client/js/random.js";
import { endedSince } from "../../client/js/last_seen.js";

test("the seconds shown change exactly on the whole second of the time left", () => {
  assert.equal(secondsLeft(60_001), 61);
  assert.equal(secondsLeft(60_000), 60);
  assert.equal(secondsLeft(59_999.9), 60);
  assert.equal(secondsLeft(59_000), 59);
});

test("nothing below zero is shown", () => {
  assert.equal(secondsLeft(0), 0);
  assert.equal(secondsLeft(-1500), 0);
});

test("hours appear only where there are any", () => {
  assert.deepEqual([0, 59, 60, 1500, 3599, 3600, 86_399].map(digits), [
    "00:00",
    "00:59",
    "01:00",
    "25:00",
    "59:59",
    "1:00:00",
    "23:59:59",
  ]);
});

test("minutes read as people say them", () => {
  assert.deepEqual([0, 25, 60, 90, 1440].map(minutes), [
    "0 min",
    "25 min",
    "1 h",
    "1 h 30 min",
    "24 h",
  ]);
});

test("focus of less than a minute is given in seconds", () => {
  assert.equal(focused(59_900), "59 s");
  assert.equal(focused(61_000), "1 min");
});

test("a drawing follows from the seed", () => {
  const draw = (seed) => Array.from({ length: 5 }, seeded(seed));
  assert.deepEqual(draw(42), draw("42"));
  assert.notDeepEqual(draw(42), draw(43));
  assert.ok(Array.from({ length: 1000 }, seeded(7)).every((n) => n >= 0 && n < 1));
});

test("a key is a UUID, also without crypto.randomUUID", (t) => {
  const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(uuid(), shape);
  const own = crypto.randomUUID;
  t.after(() => (crypto.randomUUID = own));
  crypto.randomUUID = undefined;
  assert.match(uuid(), shape);
  assert.notEqual(uuid(), uuid());
});

test("only a session that completed after the last visit is news", () => {
  const ended = (id, status, at) => ({ id, timer: { status, ended_at: at } });
  const sessions = [
    ended(1, "completed", "2026-11-22T10:00:00Z"),
    ended(2, "completed", "2026-11-22T12:00:00Z"),
    ended(3, "finished", "2026-11-22T12:30:00Z"),
    ended(4, "completed", "2026-11-22T13:00:00Z"),
    ended(5, "running", null),
  ];
  const since = Date.parse("2026-11-22T11:00:00Z");
  assert.deepEqual(endedSince(since, sessions).map(({ id }) => id), [4, 2]);
});

test("a day is near or has its date, and its year where that is another one", () => {
  const now = new Date(2026, 10, 22, 9).getTime();
  assert.equal(day(new Date(2026, 10, 22, 0, 1), now), "Today");
  assert.equal(day(new Date(2026, 10, 21, 23, 59), now), "Yesterday");
  assert.match(day(new Date(2026, 2, 3), now), /3/);
  assert.doesNotMatch(day(new Date(2026, 2, 3), now), /2026/);
  assert.match(day(new Date(2025, 2, 3), now), /2025/);
});

test("a list of numbers reads as people say it", () => {
  assert.deepEqual([listed([5]), listed([5, 1]), listed([30, 10, 1])], ["5", "5 and 1", "30, 10 and 1"]);
});

test("the next paint is at the change of the second, or sooner where the ring has moved visibly", () => {
  assert.equal(nextPaintIn(59_400, 25 * 60_000), 375);
  assert.equal(nextPaintIn(59_100, 25 * 60_000), 100);
  assert.equal(nextPaintIn(60_000, 24 * 3_600_000), 1000);
  assert.equal(nextPaintIn(30_500, 60_000), 16);
  assert.equal(nextPaintIn(30_500, 60_000, true), 500);
});
