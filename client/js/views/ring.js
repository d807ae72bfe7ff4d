/**
 * The ring around the countdown: a mark for each twelfth and sixtieth, the arc that is left with a
 * small planet at its head, and a bead where a reminder will come.
 */

import { svg } from "../dom.js";
import { gradient } from "./drawings.js";

const RADIUS = 132;
const MARKS = 60;

export class Ring {
  #arc = arc("arc");
  #glow = arc("glow");
  #head = svg(
    "g",
    { class: "head" },
    svg("circle", { class: "halo", cy: -RADIUS, r: 17 }),
    svg("circle", { class: "planet", cy: -RADIUS, r: 9.5 }),
  );
  #core = svg("circle", { class: "core", r: RADIUS - 6 });
  #reminders = svg("g", {});
  #still = matchMedia("(prefers-reduced-motion: reduce)");
  #painted = null;
  #beads = null;
  element = svg(
    "svg",
    { viewBox: "-160 -160 320 320", "aria-hidden": "true", class: "ring" },
    paints(),
    this.#core,
    marks(),
    svg("circle", { class: "track", r: RADIUS }),
    this.#glow,
    this.#arc,
    this.#reminders,
    this.#head,
  );

  get isStill() {
    return this.#still.matches;
  }

  /** With reduced motion it moves once a second; never by less than one could see. */
  paint(leftMs, plannedMs) {
    const left = this.#still.matches ? Math.ceil(leftMs / 1000) * 1000 : leftMs;
    const part = plannedMs > 0 ? Math.min(1, Math.max(0, left / plannedMs)) : 0;
    const shown = part.toFixed(4);
    if (shown === this.#painted) return;
    this.#painted = shown;
    const offset = (1 - shown).toFixed(4);
    this.#arc.setAttribute("stroke-dashoffset", offset);
    this.#glow.setAttribute("stroke-dashoffset", offset);
    this.#head.setAttribute("transform", `rotate(${(shown * 360).toFixed(2)})`);
  }

  /** A bead at each offset before the end, all in milliseconds. */
  remind(offsets, plannedMs) {
    const beads = offsets.filter((offset) => offset > 0 && offset < plannedMs);
    const key = `${beads} ${plannedMs}`;
    if (key === this.#beads) return;
    this.#beads = key;
    const bead = (offset) =>
      svg("circle", {
        class: "reminder",
        cy: -RADIUS,
        r: 5,
        transform: `rotate(${((offset / plannedMs) * 360).toFixed(2)})`,
      });
    this.#reminders.replaceChildren(...beads.map(bead));
  }
}

function arc(name) {
  return svg("circle", {
    class: name,
    r: RADIUS,
    pathLength: 1,
    "stroke-dasharray": 1,
    transform: "rotate(-90)",
  });
}

function marks() {
  const mark = (_, i) =>
    svg("line", {
      class: i % 5 ? null : "five",
      y1: -RADIUS - (i % 5 ? 19 : 17),
      y2: -RADIUS - 23,
      transform: `rotate(${(i * 360) / MARKS})`,
    });
  return svg("g", { class: "minutes" }, Array.from({ length: MARKS }, mark));
}

function paints() {
  return svg(
    "defs",
    {},
    svg(
      "linearGradient",
      { id: "ring-arc", x1: "0", y1: "0", x2: "1", y2: "1" },
      svg("stop", { offset: 0, "stop-color": "#ffe2ac" }),
      svg("stop", { offset: 0.5, "stop-color": "#ffb45e" }),
      svg("stop", { offset: 1, "stop-color": "#ff7f6b" }),
    ),
    gradient("ring-head", [
      [0, "#fffaf0", 1],
      [0.6, "#ffd08a", 1],
      [1, "#e8894a", 1],
    ], { cx: "38%", cy: "32%", r: "75%" }),
    gradient("ring-core", [
      [0, "#ffb45e", 0.1],
      [0.7, "#8f7bff", 0.07],
      [1, "#8f7bff", 0],
    ]),
  );
}
