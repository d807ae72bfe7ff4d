/** A new password, by the link of a mail. */

import { askOpenly } from "../api.js";
import { field, h } from "../dom.js";
import { refused, savedForm } from "./account/form.js";
import { modal } from "./modal.js";

/** `done()`: it is set. `again()`: the link has expired, and the user asks for another one. */
export function resetDialog(opener, link, { done, again }) {
  const fields = {
    new_password: field(
      "New password",
      { type: "password", autocomplete: "new-password", maxlength: 128 },
      { hint: "At least 10 characters. Every device is signed out." },
    ),
  };
  const another = h("button", { type: "button", class: "link", hidden: true }, "Ask for a new link");
  const send = async () => {
    const new_password = fields.new_password.input.value;
    if (!new_password) throw refused("new_password", "Please fill this in.");
    try {
      await askOpenly("POST", "/users/password/reset/confirm/", { ...link, new_password });
    } catch (error) {
      another.hidden = !error.body?.token;
      throw error;
    }
    dialog.close();
    done();
    return "";
  };
  const form = savedForm({ fields, submit: "Set password", send });
  const content = h("div", { class: "stack" }, form, another);
  const dialog = modal({ opener, title: "Choose a new password", name: "narrow", content });
  another.addEventListener("click", () => {
    dialog.close();
    again();
  });
  fields.new_password.input.focus();
}
