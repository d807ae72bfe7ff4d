/** The login of this browser: the two tokens and the user, shared by all its windows. */

const KEY = "space.login";

export function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null; // not ours, or cut short: as good as signed out
  }
}

export function save(login) {
  localStorage.setItem(KEY, JSON.stringify(login));
}

export function clear() {
  localStorage.removeItem(KEY);
}

/** Save a changed user; the tokens stay as they are. */
export function saveUser(user) {
  return exclusively(async () => {
    const login = read();
    if (login?.user.id === user.id) save({ ...login, user });
  });
}

/** Call back when another window signs in or out. */
export function onOtherWindow(callback) {
  addEventListener("storage", (event) => {
    if (event.key === KEY || event.key === null) callback(read());
  });
}

/**
 * A new access token in place of `stale`, or null when this login has ended.
 *
 * One window at a time: the second window finds that the token has changed already.
 */
export function renew(stale) {
  return exclusively(async () => {
    const login = read();
    if (!login) return null;
    if (login.access !== stale) return login.access;
    const answer = await fetch("/users/token/refresh/", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ refresh: login.refresh }),
      signal: AbortSignal.timeout(10_000),
    });
    const now = read();
    if (now?.refresh !== login.refresh) return now?.access ?? null; // they left, or are another
    if (answer.status === 401 || answer.status === 400) return null;
    if (!answer.ok) throw new Error(`refresh answered ${answer.status}`);
    const { access, refresh } = await answer.json();
    save({ ...now, access, refresh });
    return access;
  });
}

function exclusively(work) {
  // Without HTTPS a phone has no locks; the server gives late-comers the same successor.
  return navigator.locks ? navigator.locks.request(KEY, work) : work();
}
