import assert from "node:assert/strict";
import { test } from "node:test";

import { asLines, summary, Trace } from "../../client/js/trace.js";

const tick = { type: "session.tick", session: 7, version: 2, remaining_ms: 1_499_000 };
const types = (entries) => entries.map(({ type }) => type);

test("the newest frame comes first, with its direction and its time", () => {
  let now = 1_000;
  const trace = new Trace(() => (now += 1));
  trace.sent({ type: "ping", id: "p1" });
  trace.received({ type: "pong", id: "p1" });
  const [pong, ping] = trace.entries();
  assert.deepEqual([pong.type, pong.direction, pong.at], ["pong", "received", 1_002]);
  assert.deepEqual([ping.type, ping.direction, ping.at], ["ping", "sent", 1_001]);
});

test("the oldest frames are dropped", () => {
  const trace = new Trace(() => 0, 3);
  for (let id = 1; id <= 5; id += 1) trace.received({ type: "ack", id });
  assert.deepEqual(trace.entries().map(({ frame }) => frame.id), [5, 4, 3]);
});

test("ticks and pings can be left out, and push nothing else out", () => {
  const trace = new Trace(() => 0, 3);
  trace.sent({ type: "command", action: "pause" });
  for (let n = 0; n < 9; n += 1) trace.received(tick);
  assert.deepEqual(types(trace.entries()), ["session.tick", "session.tick", "session.tick"]);
  assert.deepEqual(types(trace.entries({ routine: false })), ["command"]);
});

test("a token is never kept, and the frame itself is left as it was", () => {
  const trace = new Trace(() => 0);
  const frame = { type: "authenticate", token: "secret", device: "Laptop" };
  trace.sent(frame);
  assert.ok(!JSON.stringify(trace.entries()).includes("secret"));
  assert.equal(trace.entries()[0].frame.device, "Laptop");
  assert.equal(frame.token, "secret");
});

test("an event of the connection is an entry too", () => {
  const trace = new Trace(() => 0);
  trace.happened("opened");
  trace.happened("closed", { code: 4503 });
  trace.happened("coming back", { in_ms: 320 });
  const lines = trace.entries().map(({ type, frame }) => `${type}: ${summary(frame)}`);
  assert.deepEqual(lines, ["coming back: in 320 ms", "closed: code 4503", "opened: "]);
});

test("a listener is called after each entry, until it stops", () => {
  const trace = new Trace(() => 0);
  let entries = 0;
  const stop = trace.listen(() => (entries = trace.entries().length));
  trace.received(tick);
  assert.equal(entries, 1);
  stop();
  trace.received(tick);
  assert.equal(entries, 1);
});

test("after clearing nothing of the last user is left", () => {
  const trace = new Trace(() => 0);
  trace.received(tick);
  trace.sent({ type: "command", action: "pause" });
  trace.clear();
  assert.deepEqual(trace.entries(), []);
});

test("a frame has a summary of one line", () => {
  assert.equal(summary(tick), "session 7 · version 2 · 24:59 left");
  assert.equal(
    summary({ type: "command", id: "x", action: "pause", session: 7, version: 2, key: "k" }),
    "pause · session 7 · version 2",
  );
  assert.equal(summary({ type: "ready", revision: 41, reset: false, changes: [] }), "revision 41");
  assert.equal(
    summary({ type: "ready", revision: 41, reset: true, changes: [1, 2] }),
    "revision 41 · reset · 2 missed",
  );
  assert.equal(
    summary({ type: "error", code: "bad_message", message: "What?" }),
    "code bad_message · What?",
  );
  assert.equal(summary({ type: "pong", id: "p1" }), "");
});

test("as text it is one JSON object a line, the oldest first, by the server's clock", () => {
  let now = 0;
  const trace = new Trace(() => (now += 1_000));
  trace.sent({ type: "ping", id: "p1" });
  trace.received({ type: "pong", id: "p1" });
  const lines = asLines(trace.entries(), 500).split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines, [
    { at: "1970-01-01T00:00:01.500Z", direction: "sent", frame: { type: "ping", id: "p1" } },
    { at: "1970-01-01T00:00:02.500Z", direction: "received", frame: { type: "pong", id: "p1" } },
  ]);
});
