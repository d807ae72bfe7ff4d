/** REST requests, renewed tokens, and one class of errors. */

import * as tokens from "./tokens.js";

const TIMEOUT_MS = 10_000;
const FILE_TIMEOUT_MS = 10 * 60_000;
// An overloaded server says when to try again. A longer wait is shown to the user instead: the limits
// of guesses count a minute.
const LONGEST_PAUSE_S = 5;
const LOG_IN = "/users/login/";
const GONE = "Somebody else has signed in here.";

/** A refusal of the server; with status 0 there was no answer. */
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

/** Set the callback for the end of the login. */
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
  const answer = await answerTo("GET", path, undefined, { timeout: FILE_TIMEOUT_MS });
  if (!answer.ok) throw new ApiError(answer.status, await json(answer));
  return answer.blob().catch(() => {
    throw new ApiError(0); // it broke off
  });
}

async function answerTo(method, path, body, { key, timeout } = {}) {
  const login = tokens.read();
  let answer = await send(method, path, body, { key, timeout, access: login?.access });
  if (answer.status === 401) {
    const access = await renewed(login?.access);
    refuseAnother(login);
    if (!access) throw new ApiError(401, await json(answer));
    answer = await send(method, path, body, { key, timeout, access });
  }
  refuseAnother(login);
  return answer;
}

/** Throws where another user has signed in meanwhile: no request or answer may reach that user. */
function refuseAnother(login) {
  const now = tokens.read();
  if (now && now.user.id !== login?.user.id) throw new ApiError(401, { error: GONE });
}

/** Ask without a login, or with only this token: sign-up, log-in, log-out. */
export async function askOpenly(method, path, body, access) {
  return result(await send(method, path, body, { access }));
}

async function renewed(stale) {
  try {
    const access = await tokens.renew(stale);
    if (!access) signedOut();
    return access;
  } catch {
    throw new ApiError(0); // the login may still be valid: this was the network, or a restart
  }
}

/** Tries once more after a short refusal, where a second request does no harm. */
async function send(method, path, body, options) {
  const answer = await sendOnce(method, path, body, options);
  const pause = pauseAfter(answer);
  if (pause === null || !(method === "GET" || options.key || path === LOG_IN)) return answer;
  // The jitter keeps many clients that were refused together from returning together.
  await new Promise((resolve) => setTimeout(resolve, (pause + Math.random()) * 1_000));
  return sendOnce(method, path, body, options);
}

/** Seconds to wait before the second try, or null for no second try. */
function pauseAfter(answer) {
  if (answer.status !== 503 && answer.status !== 429) return null;
  const said = answer.headers.get("Retry-After");
  return said !== null && /^\d+$/.test(said) && Number(said) <= LONGEST_PAUSE_S ? Number(said) : null;
}

async function sendOnce(method, path, body, { key, access, timeout = TIMEOUT_MS }) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (access) headers.Authorization = `Bearer ${access}`;
  if (key) headers["Idempotency-Key"] = key;
  try {
    return await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(timeout),
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
