/** Sentences about devices. */

import { day, timeOfDay } from "../../format.js";

export function devices(ended) {
  return ended === 1 ? "1 other device was signed out." : `${ended} other devices were signed out.`;
}

export const moment = (instant) => `${day(instant)}, ${timeOfDay(instant)}`;
