import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const kept = new Map();
globalThis.localStorage = {
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, value) => kept.set(key, value),
  removeItem: (key) => kept.delete(key),
};
Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
const { ask, askFile, onSignedOut } = await import("../../client/js/api.js");
const tokens = await import("../../client/js/tokens.js");

const login = (id, name) => ({ access: `${name} 1`, refresh: `${name} R`, user: { id, username: name } });
const [ADA, EVE] = [login(1, "ada"), login(2, "eve")];
const answer = (status, body = {}) => new Response(JSON.stringify(body), { status });

/** What was asked, as [path, access token]; `on[path]` answers. */
function server(on) {
  const asked = [];
  globalThis.fetch = async (path, { headers }) => {
    asked.push([path, headers.Authorization?.slice("Bearer ".length)]);
    return on[path](asked.length);
  };
  return asked;
}

const later = (status, seconds) =>
  new Response("{}", { status, headers: { "Retry-After": String(seconds) } });

/** Timers go off at once; how long they would have taken. */
function pauses(t) {
  const asked = [];
  t.mock.method(globalThis, "setTimeout", (act, ms) => (asked.push(ms), queueMicrotask(act)));
  return asked;
}

let ended = 0;
onSignedOut(() => (ended += 1));
beforeEach(() => {
  ended = 0;
  tokens.save(ADA);
});

test("a refused token is renewed once, and the question asked again", async () => {
  const asked = server({
    "/x/": (n) => (n === 1 ? answer(401) : answer(200, { it: "works" })),
    "/users/token/refresh/": () => answer(200, { access: "ada 2", refresh: "ada S" }),
  });
  assert.deepEqual(await ask("GET", "/x/"), { it: "works" });
  assert.deepEqual(asked.at(-1), ["/x/", "ada 2"]);
  assert.equal(tokens.read().refresh, "ada S");
});

test("a request of one user is not repeated in the name of the next", async () => {
  const asked = server({
    "/x/": () => {
      tokens.save(EVE);
      return answer(401);
    },
  });
  await assert.rejects(ask("POST", "/x/", { title: "Ada's" }), { status: 401 });
  assert.deepEqual(asked, [["/x/", "ada 1"]]);
  assert.equal(ended, 0, "the next one stays signed in");
});

test("an answer for one user is not given to the page of the next", async () => {
  server({
    "/x/": () => {
      tokens.save(EVE);
      return answer(200, { title: "Ada's" });
    },
  });
  await assert.rejects(ask("GET", "/x/"), { status: 401 });
});

test("a user who signs out while a token is renewed stays signed out", async () => {
  server({
    "/users/token/refresh/": () => {
      tokens.clear();
      return answer(200, { access: "ada 2", refresh: "ada S" });
    },
  });
  assert.equal(await tokens.renew("ada 1"), null);
  assert.equal(tokens.read(), null);
});

test("a token that is renewed too late leaves the next user's alone", async () => {
  server({
    "/users/token/refresh/": () => {
      tokens.save(EVE);
      return answer(401);
    },
  });
  assert.equal(await tokens.renew("ada 1"), EVE.access);
  assert.deepEqual(tokens.read(), EVE);
});

test("a changed profile is kept for its own user only", async () => {
  await tokens.saveUser({ id: 1, username: "countess" });
  assert.equal(tokens.read().user.username, "countess");
  tokens.save(EVE);
  await tokens.saveUser({ id: 1, username: "ada" });
  assert.deepEqual(tokens.read(), EVE);
});

test("a file comes as it is, and a refusal is an error", async () => {
  server({ "/x/": () => answer(200, { mine: true }), "/y/": () => answer(429, { error: "Later." }) });
  assert.equal(await (await askFile("/x/")).text(), '{"mine":true}');
  await assert.rejects(askFile("/y/"), { status: 429, message: "Later." });
});

test("a file that breaks off is an error like any other", async () => {
  server({
    "/x/": () => new Response(new ReadableStream({ pull: (part) => part.error(new TypeError()) })),
  });
  await assert.rejects(askFile("/x/"), { status: 0, code: "unreachable" });
});

test("a request that is refused for a moment is sent once more, at the time that the server gave", async (t) => {
  const waited = pauses(t);
  server({ "/x/": (n) => (n === 1 ? later(503, 2) : answer(200, { it: "works" })) });
  assert.deepEqual(await ask("GET", "/x/"), { it: "works" });
  assert.equal(waited.length, 1);
  assert.ok(waited[0] >= 2_000 && waited[0] < 3_000);
});

test("a second refusal is an error", async (t) => {
  pauses(t);
  const asked = server({ "/x/": () => later(429, 1) });
  await assert.rejects(ask("GET", "/x/"), { status: 429 });
  assert.equal(asked.length, 2);
});

test("a longer wait is an error at once", async (t) => {
  const waited = pauses(t);
  server({ "/x/": () => later(429, 42) });
  await assert.rejects(ask("GET", "/x/"), { status: 429 });
  assert.deepEqual(waited, []);
});

test("a request that could take effect twice is repeated with its key, and not without", async (t) => {
  pauses(t);
  const asked = server({ "/x/": (n) => (n === 2 ? answer(200) : later(503, 1)) });
  await ask("POST", "/x/", {}, { key: "k" });
  assert.equal(asked.length, 2);
  await assert.rejects(ask("POST", "/x/", {}), { status: 503 });
  assert.equal(asked.length, 3);
});
