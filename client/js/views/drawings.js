/** Drawings: stars and planets from their seed, hue and radius, and the far stars behind them. */

import { newId, svg } from "../dom.js";
import { seeded } from "../random.js";

export const [WIDTH, HEIGHT] = [800, 300]; // of a month's sky
const LARGE = { star: 34, planet: 40 }; // radius in a portrait's own pixels

/* The server's hue picks one of six kinds each: colours that go together in one sky. */
const STARS = ["200 95%", "225 60%", "48 95%", "32 95%", "345 85%", "265 85%"];
const PLANETS = [
  ["#f9cda8", "#d9774a", "#5f2417", "#ffe6cd"],
  ["#b4e0ff", "#3f86d8", "#10294f", "#e6f6ff"],
  ["#fff0c4", "#d8a94e", "#5e3d10", "#fff8e2"],
  ["#c6f2e0", "#3a9f88", "#0c403e", "#e5fff5"],
  ["#e4d1ff", "#8762d6", "#2b1a5c", "#f4eaff"],
  ["#ffd5df", "#d45c7c", "#571733", "#ffe9ef"],
];
const kind = (kinds, hue) => kinds[Math.floor((((hue % 360) + 360) % 360) / 60)];

/** A drawing of `space` around the origin. */
export function body(space, radius = space.radius) {
  const draw = space.type === "planet" ? planet : star;
  return draw(Number(radius) || 6, Number(space.hue) || 0, seeded(space.seed ?? space.id));
}

function star(radius, hue, random) {
  const glow = newId("glow");
  const tint = kind(STARS, hue);
  const turn = Math.round(random() * 90);
  return svg(
    "g",
    { class: "star" },
    gradient(glow, [
      [0, `hsl(${tint} 92%)`, 0.9],
      [0.25, `hsl(${tint} 75%)`, 0.4],
      [1, `hsl(${tint} 65%)`, 0],
    ]),
    svg("circle", { r: radius * 2.2, fill: `url(#${glow})` }),
    svg("path", {
      d: sparkle(radius * 1.4, radius * 0.17),
      fill: `hsl(${tint} 94%)`,
      transform: `rotate(${turn})`,
    }),
    svg("circle", { r: radius * 0.28, fill: "#fff" }),
  );
}

function planet(radius, hue, random) {
  const [shade, clip, halo] = ["shade", "clip", "halo"].map(newId);
  const [lit, own, dark, pale] = kind(PLANETS, hue);
  const tilt = Math.round(random() * 50 - 25);
  const parts = [
    gradient(shade, [
      [0, lit, 1],
      [0.5, own, 1],
      [1, dark, 1],
    ], { cx: "34%", cy: "30%", r: "78%" }),
    svg("clipPath", { id: clip }, svg("circle", { r: radius })),
    gradient(halo, [
      [0.55, own, 0.4],
      [1, own, 0],
    ]),
    svg("circle", { r: radius * 1.7, fill: `url(#${halo})` }),
    svg("circle", { r: radius, fill: `url(#${shade})` }),
    svg("g", { "clip-path": `url(#${clip})` }, bands(radius, pale, tilt, random)),
  ];
  if (random() < 0.45) parts.push(ring(radius, pale, tilt));
  return svg("g", { class: "planet" }, parts);
}

function bands(radius, color, tilt, random) {
  return [-0.45, 0.05, 0.5].map((place) =>
    svg("rect", {
      x: -radius,
      y: radius * (place + random() * 0.2 - 0.1),
      width: radius * 2,
      height: radius * (0.1 + random() * 0.16),
      fill: color,
      opacity: 0.22,
      transform: `rotate(${tilt})`,
    }),
  );
}

/** The front half of a ring: the other half is behind the planet. */
function ring(radius, color, tilt) {
  const [wide, flat] = [radius * 1.75, radius * 0.5];
  return svg("path", {
    d: `M ${-radius * 0.96} ${-flat * 0.55} A ${wide} ${flat} 0 1 0 ${radius * 0.96} ${-flat * 0.55}`,
    fill: "none",
    stroke: color,
    "stroke-width": Math.max(1, radius * 0.14),
    "stroke-linecap": "round",
    opacity: 0.75,
    transform: `rotate(${tilt})`,
  });
}

function sparkle(long, thin) {
  const points = Array.from({ length: 8 }, (_, i) => {
    const [angle, reach] = [(i * Math.PI) / 4, i % 2 ? thin : long];
    return `${(Math.cos(angle) * reach).toFixed(2)} ${(Math.sin(angle) * reach).toFixed(2)}`;
  });
  return `M ${points.join(" L ")} Z`;
}

export function gradient(id, stops, place = {}) {
  const drawn = stops.map(([offset, color, opacity]) =>
    svg("stop", { offset, "stop-color": color, "stop-opacity": opacity }),
  );
  return svg("radialGradient", { id, ...place }, drawn);
}

/** A small round window with the body in it. */
export function porthole(space) {
  return svg(
    "svg",
    { viewBox: "-16 -16 32 32", role: "img", "aria-label": space.type },
    svg("circle", { r: 16, class: "porthole-night" }),
    body(space, space.type === "planet" ? 8 : 7),
  );
}

/** The body of `space`, large, in front of its own stars. */
export function portrait(space) {
  const drawing = svg("g", { class: "born" }, body(space, LARGE[space.type]));
  return svg(
    "svg",
    { viewBox: "-150 -90 300 180", role: "img", "aria-label": `A ${space.type}`, class: "portrait" },
    svg("g", { transform: "translate(-400 -150)" }, starfield(space.seed ?? space.id, 110)),
    drawing,
  );
}

/**
 * Faint far stars that are no session's, always the same for a seed. They fill the sky's WIDTH x HEIGHT,
 * or (`percent`) a drawing without a view box.
 */
export function starfield(seed, count = 90, { percent = false, bright = false } = {}) {
  const random = seeded(seed);
  const [width, height, unit] = percent ? [100, 100, "%"] : [WIDTH, HEIGHT, ""];
  const star = () =>
    svg("circle", {
      cx: (random() * width).toFixed(1) + unit,
      cy: (random() * height).toFixed(1) + unit,
      r: ((bright ? 0.7 : 0.35) + random() * 0.5).toFixed(2),
      opacity: ((bright ? 0.5 : 0.15) + random() * 0.4).toFixed(2),
      fill: "#fff",
    });
  return svg("g", { "aria-hidden": "true" }, Array.from({ length: count }, star));
}
