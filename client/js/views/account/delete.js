/** The last question before an account is deleted: the password, against slips and thieves. */

import { ask } from "../../api.js";
import { field, h, setText } from "../../dom.js";
import { modal } from "../modal.js";

export function deleteDialog(opener, user, { deleted }) {
  const password = field("Your password", { type: "password", autocomplete: "current-password" });
  const owner = h("input", { autocomplete: "username", value: user.username, hidden: true });
  const problem = h("p", { class: "wrong small", role: "alert" });
  const agree = h("button", { class: "danger" }, "Delete my account");
  const decline = h("button", { type: "button", class: "quiet" }, "Keep it");
  const form = h(
    "form",
    { class: "stack", novalidate: true },
    h("p", {}, "Your sessions, tasks and sky will be gone on every device. This cannot be undone."),
    owner,
    password.element,
    problem,
    h("div", { class: "row end" }, decline, agree),
  );
  const dialog = modal({ opener, title: "Delete your account?", name: "narrow", content: form });
  password.input.focus();
  function refuse(sentence) {
    password.fail(sentence);
    password.input.focus();
  }
  decline.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    setText(problem, "");
    if (!password.input.value) return refuse("Please fill this in.");
    agree.disabled = true;
    try {
      await ask("DELETE", "/users/me/", { password: password.input.value });
      dialog.close();
      deleted(user);
    } catch (error) {
      if (error.body?.password) refuse(error.message);
      else setText(problem, error.message);
    }
    agree.disabled = false;
    return undefined;
  });
}
