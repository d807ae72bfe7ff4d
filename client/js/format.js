/** Times and dates as people read them. */

/** Seconds to show: rounded up, so that the number changes exactly on the server's tick. */
export const secondsLeft = (ms) => Math.max(0, Math.ceil(ms / 1000));

const RING_STEPS = 4_000; // a quarter of a pixel, on a ring of the usual size
const FRAME_MS = 16;

/** Until the digits change, or (where it moves between) the ring has gone on by a step. In ms. */
export function nextPaintIn(left, planned, still = false) {
  const second = left % 1000 || 1000;
  return still ? second : Math.min(second, Math.max(FRAME_MS, planned / RING_STEPS));
}

/** 1500 -> "25:00", 3725 -> "1:02:05". */
export function digits(seconds) {
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`;
}

/** 90 -> "1 h 30 min", 25 -> "25 min". */
export function minutes(total) {
  const [h, m] = [Math.floor(total / 60), total % 60];
  return [h && `${h} h`, (m || !h) && `${m} min`].filter(Boolean).join(" ");
}

/** Focused time: whole minutes, or seconds where it was less than one. */
export function focused(ms) {
  return ms < 60_000 ? `${Math.floor(ms / 1000)} s` : minutes(Math.floor(ms / 60_000));
}

export function timeOfDay(instant) {
  return new Date(instant).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
}

/** "Today", "Yesterday", "14 Nov", "14 Nov 2025", as seen from `now`. */
export function day(instant, now = Date.now()) {
  const [date, today] = [new Date(instant), new Date(now)];
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (date.toDateString() === today.toDateString()) return "Today";
  if (date.toDateString() === yesterday.toDateString()) return "Yesterday";
  const year = date.getFullYear() === today.getFullYear() ? undefined : "numeric";
  return date.toLocaleDateString([], { day: "numeric", month: "short", year });
}

/** [30, 10, 1] -> "30, 10 and 1". */
export const listed = (items) =>
  items.length < 2 ? `${items}` : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;

/** "2026-11" -> "November 2026". */
export function monthName(month) {
  const [year, number] = month.split("-").map(Number);
  const first = new Date(year, number - 1, 1);
  return first.toLocaleDateString([], { month: "long", year: "numeric" });
}

/** "2026-11" for an instant, by this device's calendar. */
export function monthOf(instant) {
  const date = new Date(instant);
  return `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}`;
}
