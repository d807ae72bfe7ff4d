import assert from "node:assert/strict";
import { test } from "node:test";

import { read, take } from "../../client/js/reset_link.js";

test("a link has a user and a token", () => {
  assert.deepEqual(read("#reset/MQ/dih26h-b70ccce228b91ab4"), {
    uid: "MQ",
    token: "dih26h-b70ccce228b91ab4",
  });
});

test("anything else is no link", () => {
  for (const hash of ["", "#", "#reset", "#reset/", "#reset/MQ", "#reset/MQ/", "#reset//x"]) {
    assert.equal(read(hash), null, hash);
  }
  for (const hash of ["#reset/MQ/x/y", "#reset/M%51/x", "#reset/MQ/<b>", "#/reset/MQ/x", "reset/MQ/x"]) {
    assert.equal(read(hash), null, hash);
  }
});

test("it is taken out of the address bar, and nothing else is", () => {
  const replaced = [];
  globalThis.history = { replaceState: (...given) => replaced.push(given) };
  globalThis.location = { hash: "#reset/MQ/x-y", pathname: "/", search: "?a=1" };
  assert.deepEqual(take(), { uid: "MQ", token: "x-y" });
  assert.deepEqual(replaced, [[null, "", "/?a=1"]]);
  globalThis.location = { hash: "#elsewhere", pathname: "/", search: "" };
  assert.equal(take(), null);
  assert.equal(replaced.length, 1);
});
