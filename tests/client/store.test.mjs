import assert from "node:assert/strict";
import { test } from "node:test";

import { Store } from "../../client/js/store.js";

const session = (id, version, status = "ready", more = {}) => ({
  id,
  title: `Session ${id}`,
  created_at: `2026-11-22T10:00:${String(id).padStart(2, "0")}Z`,
  tasks: [],
  timer: { version, status, ended_at: null, ...more },
});
const frame = (revision, state, more = {}) => ({
  type: "session.state",
  session: state.id,
  version: state.timer.version,
  revision,
  state,
  ...more,
});
const ready = (revision, more = {}) => ({
  epoch: "A",
  revision,
  reset: false,
  active: null,
  changes: [],
  ...more,
});
const space = (id, of) => ({ id, session: of, type: "star" });
const ids = (store) => store.sessions().map(({ id }) => id);

/** A store that knows sessions 1 and 2, and everything up to revision 10. */
function setUp() {
  const store = new Store();
  store.catchUp(ready(10));
  store.load([session(1, 3), session(2, 5)], [space(7, 2)]);
  return store;
}

test("of two states the higher version wins, in whatever order they come", () => {
  const store = setUp();
  assert.equal(store.adopt(session(1, 5, "paused")), true);
  assert.equal(store.adopt(session(1, 4, "running")), false);
  assert.equal(store.session(1).timer.status, "paused");
});

test("a repeat of a frame changes nothing and is no gap", () => {
  const store = setUp();
  const change = frame(11, session(1, 4, "running"));
  assert.equal(store.receive(change), false);
  assert.equal(store.receive(change), false);
  assert.equal(store.revision, 11);
});

test("a revision that is not the next one is a gap, until it has been filled", () => {
  const store = setUp();
  assert.equal(store.receive(frame(13, session(1, 6, "paused"))), true);
  assert.equal(store.revision, 10, "what is known without a hole");
  assert.equal(store.session(1).timer.version, 6, "the state that came is good all the same");
  store.catchUp(ready(13));
  assert.equal(store.receive(frame(14, session(1, 7, "running"))), false);
});

test("a change that arrived before the answer to sync is not requested again", () => {
  const store = setUp();
  store.receive(frame(11, session(1, 4)));
  store.catchUp(ready(10)); // an answer that was read before revision 11
  assert.equal(store.revision, 11);
});

test("missed changes are applied in order, and the lists need not be loaded", () => {
  const store = setUp();
  const changes = [
    { kind: "started", session: 1, state: null },
    { kind: "completed", session: 1, state: session(1, 5, "completed") },
    { kind: "deleted", session: 2, state: null },
  ];
  assert.equal(store.catchUp(ready(13, { changes })), false);
  assert.equal(store.session(1).timer.status, "completed");
  assert.equal(store.session(2), null);
  assert.equal(store.revision, 13);
});

test("the lists are loaded on the first visit and on a reset", () => {
  const store = new Store();
  assert.equal(store.catchUp(ready(4)), true);
  store.load([], []);
  assert.equal(store.catchUp(ready(5)), false);
  assert.equal(store.catchUp(ready(900, { reset: true })), true);
  assert.equal(store.revision, 900);
});

test("after a restored backup lower versions are believed", () => {
  const store = setUp();
  assert.equal(store.catchUp(ready(2, { epoch: "B", reset: true })), true);
  store.load([session(1, 1)], []);
  assert.equal(store.session(1).timer.version, 1);
  assert.equal(store.revision, 2);
  assert.deepEqual(ids(store), [1]);
});

test("a late state does not bring a deleted session back", () => {
  const store = setUp();
  store.receive({ type: "session.deleted", session: 2, version: 6, revision: 11, state: null });
  assert.equal(store.adopt(session(2, 9)), false);
  store.addSpace(space(8, 2));
  assert.deepEqual(ids(store), [1]);
  assert.deepEqual(store.spaces(), [], "its star went with it");
});

test("fresh lists drop deleted sessions, but not those created while the lists were on the way", () => {
  const store = setUp();
  const begun = store.beginLoad();
  store.receive(frame(11, session(3, 1)));
  store.addSpace(space(9, 3));
  store.load([session(1, 3)], [], null, begun);
  assert.deepEqual(ids(store), [3, 1]);
  assert.deepEqual(store.spaces(), [space(9, 3)]);
});

test("fresh lists do not bring back a session deleted while they were on the way", () => {
  const store = setUp();
  const begun = store.beginLoad();
  store.receive({ type: "session.deleted", session: 2, version: 6, revision: 11, state: null });
  store.load([session(1, 3), session(2, 5)], [space(7, 2)], null, begun);
  assert.deepEqual(ids(store), [1]);
  assert.deepEqual(store.spaces(), []);
});

test("of two loads at once neither drops a session created while it was on the way", () => {
  const store = setUp();
  const [early, late] = [store.beginLoad(), store.beginLoad()];
  store.receive(frame(11, session(3, 1)));
  store.load([session(1, 3)], [], null, early);
  assert.deepEqual(ids(store), [3, 1]);
  store.receive(frame(12, session(4, 1)));
  store.load([session(1, 3), session(3, 1)], [], null, late);
  assert.deepEqual(ids(store), [4, 3, 1]);
});

test("lists that a later load has overtaken are ignored", () => {
  const store = setUp();
  const [early, late] = [store.beginLoad(), store.beginLoad()];
  assert.equal(store.load([session(1, 3), session(3, 1)], [], null, late), true);
  assert.equal(store.load([session(1, 3)], [], null, early), false);
  assert.deepEqual(ids(store), [3, 1]);
});

test("lists requested before all was cleared are ignored", () => {
  const store = setUp();
  const begun = store.beginLoad();
  store.clear();
  assert.equal(store.load([session(1, 3)], [], null, begun), false);
  assert.deepEqual(ids(store), []);
});

test("fresh lists leave alone the sessions that ended before their first page", () => {
  const store = setUp();
  const ended = (id) => session(id, 1, "completed", { ended_at: "2026-11-22T11:00:00Z" });
  store.append([ended(3), ended(6)], null);
  store.load([session(1, 3), ended(5), ended(7)], [], "/next");
  assert.deepEqual(ids(store), [1, 7, 5, 3], "6 and the ready 2 are gone, 3 is on a later page");
});

test("an end brings its star", () => {
  const store = setUp();
  const state = session(1, 4, "completed");
  store.receive(frame(11, state, { type: "session.ended", cause: "completed", space: space(8, 1) }));
  assert.equal(store.spaceOf(1).id, 8);
  assert.equal(store.active(), null);
});

test("a state that comes with a task changes the list of tasks", () => {
  const store = setUp();
  const state = { ...session(1, 4), tasks: [{ id: 30, title: "Outline" }] };
  store.receive(frame(11, state, { type: "task.changed", task: state.tasks[0] }));
  assert.equal(store.session(1).tasks.length, 1);
});

test("the active session comes first, then the ready ones, then the ended, the newest first", () => {
  const store = new Store();
  store.load(
    [
      session(1, 1, "completed", { ended_at: "2026-11-22T11:00:00Z" }),
      session(2, 1),
      session(3, 1, "cancelled", { ended_at: "2026-11-22T12:00:00Z" }),
      session(4, 1, "paused"),
      session(5, 1),
    ],
    [],
  );
  assert.deepEqual(ids(store), [4, 5, 2, 3, 1]);
  assert.equal(store.active().id, 4);
});

test("a listener is called for each change, and for nothing else", () => {
  const store = setUp();
  let calls = 0;
  store.onChange(() => (calls += 1));
  store.adopt(session(1, 4));
  store.adopt(session(1, 4));
  assert.equal(calls, 1);
});

test("two watchers that lost different frames end up with the same", () => {
  const states = ["running", "paused", "running", "completed"].map((s, i) => session(1, 4 + i, s));
  const frames = states.map((state, i) => frame(11 + i, state));
  const [all, few] = [setUp(), setUp()];
  frames.forEach((each) => all.receive(each));
  [frames[2], frames[0], frames[3], frames[2]].forEach((each) => few.receive(each));
  assert.deepEqual(few.session(1), all.session(1));
});

test("an earlier page adds to the known sessions, and says whether there is more", () => {
  const store = new Store();
  store.beginLoad();
  store.load([session(3, 1, "finished")], [], "/sessions/?cursor=3");
  assert.equal(store.older, "/sessions/?cursor=3");
  store.append([session(2, 1, "finished"), session(1, 1, "finished")], null);
  assert.deepEqual([ids(store), store.older], [[3, 2, 1], null]);
});

test("an earlier page neither replaces a newer state nor brings back a deleted session", () => {
  const store = new Store();
  store.load([session(3, 1, "finished")], [], "more");
  store.adopt(session(2, 5, "finished"));
  store.remove(1);
  store.append([session(2, 4, "finished"), session(1, 1, "finished")], null);
  assert.deepEqual([ids(store), store.session(2).timer.version], [[3, 2], 5]);
});

test("a star is found by its session, and is gone with it", () => {
  const store = new Store();
  store.load([session(3, 1, "finished")], [space(7, 3)]);
  assert.equal(store.spaceOf(3).id, 7);
  store.remove(3);
  assert.equal(store.spaceOf(3), null);
});

test("a session that was planned long ago and has just ended is missed by its star", () => {
  const store = new Store();
  const ended = (id, at) => session(id, 9, "completed", { ended_at: at });
  const star = (id, of, at) => ({ ...space(id, of), created_at: at });
  const listed = [ended(50, "2026-11-20T10:00:00Z"), ended(51, "2026-11-21T10:00:00Z")];
  const stars = [star(1, 50, "2026-11-20T10:00:00Z"), star(2, 3, "2026-11-22T10:00:00Z")];
  store.load(listed, [...stars, star(3, 4, "2025-01-01T10:00:00Z")], "more");
  assert.deepEqual(store.unlisted(), [3]);
  store.adopt(ended(3, "2026-11-22T10:00:00Z"));
  assert.deepEqual(store.unlisted(), []);
});

test("where the list is complete no session is missing", () => {
  const store = new Store();
  store.load([], [{ ...space(1, 7), created_at: "2026-11-22T10:00:00Z" }]);
  assert.deepEqual(store.unlisted(), []);
});
