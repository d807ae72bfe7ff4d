/** To the clipboard, also where a page came by plain HTTP and may not use the newer way. */

import { h } from "../../dom.js";

/** True where it worked. `within`: an element that the focus may enter. */
export async function copyText(text, within) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByHand(text, within);
  }
}

function copyByHand(text, within) {
  const before = document.activeElement;
  const area = h("textarea", { class: "unseen", "aria-hidden": "true", tabindex: -1 });
  area.value = text;
  within.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus();
  return done;
}
