/** The wait before a reconnect: full jitter, so that a thousand pages do not return in one wave. */

const FIRST_MS = 500;
const LONGEST_MS = 30_000;

/** Milliseconds to wait before attempt number `attempt` (0 for the first after a loss). */
export function delay(attempt, random = Math.random) {
  return random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt);
}
