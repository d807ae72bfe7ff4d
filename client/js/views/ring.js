/** The ring around the countdown, with a small planet at the head of its arc. */

import { svg } from "../dom.js";

const RADIUS = 140;

export class Ring {
  #arc = svg("circle", {
    class: "arc",
    r: RADIUS,
    pathLength: 1,
    "stroke-dasharray": 1,
    transform: "rotate(-90)",
  });
  #head = svg("g", { class: "head" }, svg("circle", { cy: -RADIUS, r: 7 }));
  #still = matchMedia("(prefers-reduced-motion: reduce)");
  element = svg(
    "svg",
    { viewBox: "-160 -160 320 320", "aria-hidden": "true", class: "ring" },
    svg("circle", { class: "track", r: RADIUS }),
    this.#arc,
    this.#head,
  );

  #painted = null;

  /** With reduced motion it moves once a second; never by less than one could see. */
  paint(leftMs, plannedMs) {
    const left = this.#still.matches ? Math.ceil(leftMs / 1000) * 1000 : leftMs;
    const part = plannedMs > 0 ? Math.min(1, Math.max(0, left / plannedMs)) : 0;
    const shown = part.toFixed(4);
    if (shown === this.#painted) return;
    this.#painted = shown;
    this.#arc.setAttribute("stroke-dashoffset", (1 - shown).toFixed(4));
    this.#head.setAttribute("transform", `rotate(${(shown * 360).toFixed(2)})`);
  }
}
