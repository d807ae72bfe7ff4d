/** The button that switches from system to light to dark. */

import { icon } from "../icons.js";

const ICONS = { system: "contrast", light: "sun", dark: "moon" };

export function themeToggle(button) {
  const { theme } = window;
  const next = () => theme.choices[(theme.choices.indexOf(theme.chosen()) + 1) % theme.choices.length];
  const show = () => {
    const label = `Theme: ${theme.chosen()}. Change to ${next()}`;
    button.replaceChildren(icon(ICONS[theme.chosen()]));
    button.setAttribute("aria-label", label);
    button.title = label;
  };
  button.addEventListener("click", () => theme.choose(next()));
  theme.onChange(show);
  show();
}
