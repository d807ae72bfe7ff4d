/** The time until which this browser had a page open: a session that ended later is news. */

const KEY = "space.seen";
const WRITE_INTERVAL_MS = 5_000;

let written = 0;

/** `at`: the server's time, in milliseconds, up to which this user has seen everything. */
export function remember(user, at) {
  if (at < written + WRITE_INTERVAL_MS) return;
  written = at;
  localStorage.setItem(KEY, JSON.stringify({ user, at }));
}

export const seenBefore = () => localStorage.getItem(KEY) !== null;

/** The same, read; null for another user or a first visit. */
export function lastSeen(user) {
  try {
    const seen = JSON.parse(localStorage.getItem(KEY));
    return seen?.user === user ? seen.at : null;
  } catch {
    return null;
  }
}

/** The sessions that came to their end by themselves after `at`, the latest first. */
export function endedSince(at, sessions) {
  const end = (session) => Date.parse(session.timer.ended_at);
  return sessions
    .filter((session) => session.timer.status === "completed" && end(session) > at)
    .sort((a, b) => end(b) - end(a));
}
