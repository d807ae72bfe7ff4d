/** Stars and planets, drawn from their seed, hue and radius. */

import { newId, svg } from "../dom.js";
import { seeded } from "../random.js";

/** A drawing of `space` around the origin. */
export function body(space, radius = space.radius) {
  const draw = space.type === "planet" ? planet : star;
  return draw(Number(radius) || 6, Number(space.hue) || 0, seeded(space.seed ?? space.id));
}

function star(radius, hue, random) {
  const glow = newId("glow");
  const turn = Math.round(random() * 90);
  return svg(
    "g",
    { class: "star" },
    gradient(glow, [
      [0, `hsl(${hue} 90% 92%)`, 0.9],
      [0.25, `hsl(${hue} 85% 75%)`, 0.4],
      [1, `hsl(${hue} 85% 65%)`, 0],
    ]),
    svg("circle", { r: radius * 2.2, fill: `url(#${glow})` }),
    svg("path", {
      d: sparkle(radius * 1.4, radius * 0.17),
      fill: `hsl(${hue} 80% 94%)`,
      transform: `rotate(${turn})`,
    }),
    svg("circle", { r: radius * 0.28, fill: "#fff" }),
  );
}

function planet(radius, hue, random) {
  const [shade, clip] = [newId("shade"), newId("clip")];
  const second = Math.round(hue + 20 + random() * 60) % 360;
  const tilt = Math.round(random() * 50 - 25);
  const parts = [
    gradient(shade, [
      [0, `hsl(${hue} 70% 78%)`, 1],
      [0.55, `hsl(${hue} 58% 56%)`, 1],
      [1, `hsl(${hue} 60% 24%)`, 1],
    ], { cx: "34%", cy: "30%", r: "78%" }),
    svg("clipPath", { id: clip }, svg("circle", { r: radius })),
    svg("circle", { r: radius * 1.5, fill: `hsl(${hue} 80% 60%)`, opacity: 0.1 }),
    svg("circle", { r: radius, fill: `url(#${shade})` }),
    svg("g", { "clip-path": `url(#${clip})` }, bands(radius, second, tilt, random)),
  ];
  if (random() < 0.45) parts.push(ring(radius, second, tilt));
  return svg("g", { class: "planet" }, parts);
}

function bands(radius, hue, tilt, random) {
  return [-0.45, 0.05, 0.5].map((place) =>
    svg("rect", {
      x: -radius,
      y: radius * (place + random() * 0.2 - 0.1),
      width: radius * 2,
      height: radius * (0.1 + random() * 0.16),
      fill: `hsl(${hue} 70% 82%)`,
      opacity: 0.22,
      transform: `rotate(${tilt})`,
    }),
  );
}

/** The front half of a ring: the other half is behind the planet. */
function ring(radius, hue, tilt) {
  const [wide, flat] = [radius * 1.75, radius * 0.5];
  return svg("path", {
    d: `M ${-radius * 0.96} ${-flat * 0.55} A ${wide} ${flat} 0 1 0 ${radius * 0.96} ${-flat * 0.55}`,
    fill: "none",
    stroke: `hsl(${hue} 60% 80%)`,
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
