/** Times of the trace and of the status. */

const two = (n) => String(n).padStart(2, "0");

/** "14:03:05", always in 24 hours: it is there to be compared. */
export function timeWithSeconds(at) {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}

/** "14:03:05.042" */
export function timeWithMilliseconds(at) {
  return `${timeWithSeconds(at)}.${String(new Date(at).getMilliseconds()).padStart(3, "0")}`;
}

/** 4_200 -> "4 s", 125_000 -> "2 min", 7_300_000 -> "2 h". */
export function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  return s < 3600 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h`;
}
