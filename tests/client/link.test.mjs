import assert from "node:assert/strict";
import { test } from "node:test";

import { Link } from "../../client/js/link.js";

test("an attempt to come back is still coming back, since it was lost", () => {
  const link = new Link();
  const statuses = ["connecting", "connected", "coming back", "connecting", "coming back"];
  const changes = statuses.map((status, at) => link.take(status, at));
  assert.deepEqual(changes, [true, true, true, false, false]);
  assert.deepEqual([link.status, link.since], ["coming back", 2]);
});

test("the answer to a sync is no new connection", () => {
  const link = new Link();
  link.take("connected", 1);
  assert.equal(link.take("connected", 2), false);
  assert.equal(link.since, 1);
});

test("a stop has its reason, and can be left by trying again", () => {
  const link = new Link();
  link.take("stopped", 1, "Too many windows.");
  assert.equal(link.reason, "Too many windows.");
  assert.equal(link.take("connecting", 2), true);
  assert.equal(link.reason, "");
});

test("for another user nothing was lost yet", () => {
  const link = new Link();
  link.take("coming back", 1);
  link.reset();
  link.take("connecting", 2);
  assert.equal(link.status, "connecting");
});
