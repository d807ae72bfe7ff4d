/** Reminders as people write them: "5 min, 30 s" for [300, 30] seconds before the end. */

const SECONDS = { s: 1, min: 60, h: 3600 };
const PART = /^(\d+(?:\.\d+)?)\s*(s|sec|m|min|h)?$/i; // a number alone is minutes
const UNITS = { sec: "s", m: "min" };

/** [300, 90] -> "5 min, 90 s". */
export function written(offsets) {
  const one = (s) => {
    if (s % SECONDS.h === 0) return `${s / SECONDS.h} h`;
    return s % SECONDS.min === 0 ? `${s / SECONDS.min} min` : `${s} s`;
  };
  return offsets.map(one).join(", ");
}

/** Seconds, each once, the earliest reminder first; null where it cannot be read. */
export function read(text) {
  const parts = text.split(/[,;]/).map((part) => part.trim());
  const seconds = parts.filter(Boolean).map(secondsOf);
  if (seconds.some((s) => s === null)) return null;
  return [...new Set(seconds)].sort((a, b) => b - a);
}

function secondsOf(part) {
  const [, number, given = "min"] = part.match(PART) ?? [];
  if (number === undefined) return null;
  const unit = given.toLowerCase();
  return Math.round(Number(number) * SECONDS[UNITS[unit] ?? unit]);
}
