/** A list whose buttons are one stop of the Tab key; the arrow keys move between them. */

export function rovingTabindex(list) {
  let current = null;
  const buttons = () => [...list.querySelectorAll("li > button")];
  const choose = (button) => {
    if (current) current.tabIndex = -1;
    current = button ?? null;
    if (current) current.tabIndex = 0;
  };
  list.addEventListener("focusin", ({ target }) => target.matches("li > button") && choose(target));
  list.addEventListener("keydown", (event) => {
    const all = buttons();
    const at = all.indexOf(current);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || event.target !== current) return;
    event.preventDefault();
    all[Math.min(Math.max(to, 0), all.length - 1)]?.focus();
  });
  return {
    /** After the list has changed: Tab stops at the first; a focus that was lost moves to the last. */
    update() {
      if (list.contains(document.activeElement)) return;
      const lost = current && !current.isConnected && document.activeElement === document.body;
      choose(lost ? buttons().at(-1) : buttons()[0]);
      if (lost) current?.focus();
    },
  };
}
