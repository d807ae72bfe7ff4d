/** REST: one function that asks, and errors with a name. */

import * as tokens from "./tokens.js";

const PATIENCE_MS = 10_000;
const PATIENCE_FOR_A_FILE_MS = 10 * 60_000;
// A server that has too much to do says when to come again. Who is told to wait for longer is told
// so: the limits of guesses count a minute.
const LONGEST_PAUSE_S = 5;
const LOG_IN = "/users/login/";
const GONE = "Somebody else has signed in here.";

/** The server said no (or, with status 0, nothing at all). */
export class ApiError extends Error {
  constructor(status, body = {}) {
    super(body.error ?? sentence(status));
    this.status = status;
    this.code = body.code ?? (status ? "unknown" : "unreachable");
    this.body = body;
  }

  /** The current state of the session, which conflicts carry. */
  get state() {
    return [this.body.state, this.body.session, this.body.current].find((s) => s?.timer) ?? null;
  }
}

let signedOut = () => {};

/** What to do when the login has ended for good. */
export function onSignedOut(callback) {
  signedOut = callback;
}

/**
 * Ask as the user who is signed in. A refused access token is renewed once.
 * `key` makes a repeat of the same POST harmless.
 */
export async function ask(method, path, body, options) {
  return result(await answerTo(method, path, body, options));
}

/** One page of a list, newest first, and the path of the next one or null. */
export async function askPage(path) {
  const answer = await answerTo("GET", path);
  const next = /<([^>]+)>;\s*rel="next"/.exec(answer.headers.get("Link") ?? "")?.[1];
  const url = next && new URL(next, location.href);
  return { items: await result(answer), next: url ? url.pathname + url.search : null };
}

/** A file, as it is. */
export async function askFile(path) {
  const answer = await answerTo("GET", path, undefined, { patience: PATIENCE_FOR_A_FILE_MS });
  if (!answer.ok) throw new ApiError(answer.status, await json(answer));
  return answer.blob().catch(() => {
    throw new ApiError(0); // it broke off
  });
}

async function answerTo(method, path, body, { key, patience } = {}) {
  const login = tokens.read();
  let answer = await send(method, path, body, { key, patience, access: login?.access });
  if (answer.status === 401) {
    const access = await renewed(login?.access);
    refuseAnother(login);
    if (!access) throw new ApiError(401, await json(answer));
    answer = await send(method, path, body, { key, patience, access });
  }
  refuseAnother(login);
  return answer;
}

/** Nothing is asked, and nothing is answered, in the name of whoever has signed in meanwhile. */
function refuseAnother(login) {
  const now = tokens.read();
  if (now && now.user.id !== login?.user.id) throw new ApiError(401, { error: GONE });
}

/** Ask as nobody, or with just this token: sign-up, log-in, log-out. */
export async function askOpenly(method, path, body, access) {
  return result(await send(method, path, body, { access }));
}

async function renewed(stale) {
  try {
    const access = await tokens.renew(stale);
    if (!access) signedOut();
    return access;
  } catch {
    throw new ApiError(0); // the login may well stand: this was the network, or a restart
  }
}

/** Once more, where it was refused for a moment and a second one does no harm. */
async function send(method, path, body, options) {
  const answer = await sendOnce(method, path, body, options);
  const pause = pauseAfter(answer);
  if (pause === null || !(method === "GET" || options.key || path === LOG_IN)) return answer;
  // A class that was refused at once does not come again at once.
  await new Promise((resolve) => setTimeout(resolve, (pause + Math.random()) * 1_000));
  return sendOnce(method, path, body, options);
}

/** Seconds, or null where there is no use in coming again soon. */
function pauseAfter(answer) {
  if (answer.status !== 503 && answer.status !== 429) return null;
  const said = answer.headers.get("Retry-After");
  return said !== null && /^\d+$/.test(said) && Number(said) <= LONGEST_PAUSE_S ? Number(said) : null;
}

async function sendOnce(method, path, body, { key, access, patience = PATIENCE_MS }) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (access) headers.Authorization = `Bearer ${access}`;
  if (key) headers["Idempotency-Key"] = key;
  try {
    return await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(patience),
    });
  } catch {
    throw new ApiError(0);
  }
}

async function result(answer) {
  const body = await json(answer);
  if (!answer.ok) throw new ApiError(answer.status, body);
  return body;
}

async function json(answer) {
  try {
    return (await answer.json()) ?? {};
  } catch {
    return {}; // 205 has no body; a proxy's error page is no JSON
  }
}

function sentence(status) {
  if (!status) return "The server cannot be reached. Please try again in a moment.";
  if (status === 429) return "That was a little fast. Please wait a moment.";
  return status >= 500 ? "The server has a problem. Please try again." : "That did not work.";
}
