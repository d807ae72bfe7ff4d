/** Small drawings for buttons, 24 x 24, in the colour of the text around them. */

import { svg } from "./dom.js";

const PATHS = {
  play: "M8 5.5v13l10.5-6.5z",
  pause: "M8.5 5.5v13M15.5 5.5v13",
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  plus: "M12 5.5v13M5.5 12h13",
  repeat: "M4.5 11a7.5 7.5 0 0 1 13-4.5L20 9M20 4.5V9h-4.5M19.5 13a7.5 7.5 0 0 1-13 4.5L4 15M4 19.5V15h4.5",
  trash: "M5 7h14M10 7V4.5h4V7M7 7l.8 12h8.4L17 7M10.3 10.5v5M13.7 10.5v5",
  pencil: "M5 19l.8-3.7L16 5.1a1.6 1.6 0 0 1 2.3 0l.6.6a1.6 1.6 0 0 1 0 2.3L8.7 18.2z",
  bell: "M6.5 16.5V11a5.5 5.5 0 0 1 11 0v5.5l1.5 1.5H5zM10 20.5h4",
  earlier: "M14.5 5.5L8 12l6.5 6.5",
  later: "M9.5 5.5L16 12l-6.5 6.5",
  person: "M12 4.5a3.75 3.75 0 1 1 0 7.5 3.75 3.75 0 0 1 0-7.5zM4.5 20a7.5 7.5 0 0 1 15 0",
  sun: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  contrast: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM12 4v16M12 7h5M12 10.3h7.6M12 13.7h7.6M12 17h5",
};
const FILLED = new Set(["play"]);

export function icon(name) {
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: FILLED.has(name) ? "glyph filled" : "glyph", "aria-hidden": "true" },
    svg("path", { d: PATHS[name] }),
  );
}
