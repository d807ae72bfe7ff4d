import assert from "node:assert/strict";
import { test } from "node:test";

import { ConnectionStatus } from "../../client/js/connection_status.js";

test("an attempt to come back is still coming back, since it was lost", () => {
  const connection = new ConnectionStatus();
  const statuses = ["connecting", "connected", "coming back", "connecting", "coming back"];
  const changes = statuses.map((status, at) => connection.take(status, at));
  assert.deepEqual(changes, [true, true, true, false, false]);
  assert.deepEqual([connection.status, connection.since], ["coming back", 2]);
});

test("the answer to a sync is no new connection", () => {
  const connection = new ConnectionStatus();
  connection.take("connected", 1);
  assert.equal(connection.take("connected", 2), false);
  assert.equal(connection.since, 1);
});

test("a stop has its reason, and can be left by trying again", () => {
  const connection = new ConnectionStatus();
  connection.take("stopped", 1, "Too many windows.");
  assert.equal(connection.reason, "Too many windows.");
  assert.equal(connection.take("connecting", 2), true);
  assert.equal(connection.reason, "");
});

test("for another user no connection was lost yet", () => {
  const connection = new ConnectionStatus();
  connection.take("coming back", 1);
  connection.reset();
  connection.take("connecting", 2);
  assert.equal(connection.status, "connecting");
});
