import assert from "node:assert/strict";
import { test } from "node:test";

import { Commands } from "../../client/js/commands.js";
import { Store } from "../../client/js/store.js";

const session = (version, status) => ({
  id: 1,
  created_at: "2026-11-22T10:00:00Z",
  tasks: [],
  timer: { version, status, ended_at: null },
});

/** Commands over a socket that keeps what is sent until the test answers. */
function setUp() {
  const store = new Store();
  store.load([session(2, "running")], []);
  const sent = [];
  const commands = new Commands({ send: (frame) => sent.push(frame) > 0 }, store);
  const answer = (frame, state) => commands.answered({ type: "ack", id: frame.id, state });
  const next = async (count) => {
    while (sent.length < count) await new Promise((resolve) => setImmediate(resolve));
    return sent[count - 1];
  };
  return { store, commands, sent, answer, next };
}

test("a command carries the version that was seen and a key of its own", async () => {
  const { store, commands, answer, next } = setUp();
  const done = commands.run(store.session(1), "pause");
  const frame = await next(1);
  assert.equal(frame.version, 2);
  assert.match(frame.key, /^[0-9a-f-]{36}$/);
  answer(frame, session(3, "paused"));
  await done;
  assert.equal(store.session(1).timer.status, "paused");
});

test("+5 pressed twice extends twice, the second on the version that the first made", async () => {
  const { store, commands, sent, answer, next } = setUp();
  const both = [1, 2].map(() => commands.run(store.session(1), "extend", { seconds: 300 }));
  answer(await next(1), session(3, "running"));
  const second = await next(2);
  assert.equal(second.version, 3);
  assert.notEqual(second.key, sent[0].key);
  answer(second, session(4, "running"));
  await Promise.all(both);
});

test("any other button that is pressed twice acts once", async () => {
  const { store, commands, sent, answer, next } = setUp();
  const both = [1, 2].map(() => commands.run(store.session(1), "pause"));
  answer(await next(1), session(3, "paused"));
  await Promise.all(both);
  assert.equal(sent.length, 1);
});

test("a refusal brings the current state, which the next command builds on", async () => {
  const { store, commands, next, answer } = setUp();
  const refused = commands.run(store.session(1), "pause");
  const { id } = await next(1);
  const error = { type: "error", id, code: "stale_version", message: "It has changed." };
  commands.answered({ ...error, state: session(7, "running") });
  await assert.rejects(refused, { code: "stale_version", message: "It has changed." });
  assert.equal(store.session(1).timer.version, 7);
  const again = commands.run(store.session(1), "pause");
  const frame = await next(2);
  assert.equal(frame.version, 7);
  answer(frame, session(8, "paused"));
  await again;
});

test("an answer to no command is ignored", () => {
  const { commands } = setUp();
  assert.equal(commands.answered({ type: "error", id: null }), false);
});

test("a command whose answer was lost is repeated over REST with the same key", async (t) => {
  const { store, commands, next } = setUp();
  const asked = [];
  t.mock.method(globalThis, "fetch", (path, { headers, body }) => {
    asked.push({ path, key: headers["Idempotency-Key"], body: JSON.parse(body) });
    return Promise.resolve(new Response(JSON.stringify(session(3, "paused"))));
  });
  globalThis.localStorage ??= { getItem: () => null };
  const done = commands.run(store.session(1), "pause");
  const { key } = await next(1);
  commands.lost();
  await done;
  assert.deepEqual(asked, [{ path: "/sessions/1/pause/", key, body: { version: 2 } }]);
  assert.equal(store.session(1).timer.status, "paused");
});
