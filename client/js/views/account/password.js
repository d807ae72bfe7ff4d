/** A new password for the old one. */

import { ask } from "../../api.js";
import { field, h } from "../../dom.js";
import { refused, savedForm, section } from "./form.js";
import { devices } from "./labels.js";

/** `changed()`: every other device has been signed out. */
export function passwordView(user, { changed }) {
  const fields = {
    old_password: field("Old password", { type: "password", autocomplete: "current-password" }),
    new_password: field(
      "New password",
      { type: "password", autocomplete: "new-password", maxlength: 128 },
      { hint: "At least 10 characters. Every other device is signed out." },
    ),
  };
  // For the password manager of the browser: whose password it is.
  const owner = h("input", { autocomplete: "username", value: user.username, hidden: true });
  const send = async () => {
    const value = (name) => fields[name].input.value;
    for (const name of Object.keys(fields)) {
      if (!value(name)) throw refused(name, "Please fill this in.");
    }
    const values = { old_password: value("old_password"), new_password: value("new_password") };
    const { ended } = await ask("POST", "/users/password/", values);
    for (const { input } of Object.values(fields)) input.value = "";
    changed();
    return `The password has been changed.${ended ? ` ${devices(ended)}` : ""}`;
  };
  return section("Password", savedForm({ fields, extra: [owner], submit: "Change password", send }));
}
