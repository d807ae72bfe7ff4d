/** The last question: the user name, typed, so that no slip of a finger deletes an account. */

import { ask } from "../../api.js";
import { field, h, setText } from "../../dom.js";
import { modal } from "../modal.js";

export function deleteDialog(opener, user, { deleted }) {
  const name = field("Your user name", { autocomplete: "off", autocapitalize: "off" });
  const problem = h("p", { class: "wrong small", role: "alert" });
  const agree = h("button", { class: "danger" }, "Delete my account");
  const decline = h("button", { type: "button", class: "quiet" }, "Keep it");
  const form = h(
    "form",
    { class: "stack", novalidate: true },
    h("p", {}, "Your sessions, tasks and sky will be gone on every device. This cannot be undone."),
    h("p", {}, "Type ", h("strong", {}, user.username), " to go on."),
    name.element,
    problem,
    h("div", { class: "row end" }, decline, agree),
  );
  const dialog = modal({ opener, title: "Delete your account?", name: "narrow", content: form });
  name.input.focus();
  decline.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (name.input.value.trim() !== user.username) {
      name.fail(`Please type ${user.username}.`);
      return name.input.focus();
    }
    agree.disabled = true;
    try {
      await ask("DELETE", "/users/me/");
      dialog.close();
      deleted(user);
    } catch (error) {
      setText(problem, error.message);
    }
    agree.disabled = false;
    return undefined;
  });
}
