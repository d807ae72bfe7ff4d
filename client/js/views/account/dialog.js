/** The account: profile, password, devices, export and deletion. */

import { ask } from "../../api.js";
import { h } from "../../dom.js";
import { modal } from "../modal.js";
import { loginsView } from "./logins.js";
import { passwordView } from "./password.js";
import { profileView } from "./profile.js";
import { exportAndDeleteView } from "./export_and_delete.js";

/** `on`: changed(user), signOut(), deleted(user). */
export function accountDialog(opener, on) {
  const content = h("div", { class: "sections" });
  const dialog = modal({ opener, title: "Account", name: "account", content });
  load();

  async function load() {
    content.replaceChildren(h("p", { class: "muted", role: "status" }, "Loading…"));
    try {
      show(await ask("GET", "/users/me/"));
    } catch (error) {
      const again = h("button", { type: "button", class: "quiet", onclick: load }, "Try again");
      content.replaceChildren(h("p", { class: "wrong", role: "alert" }, error.message), again);
    }
  }

  function show(user) {
    const logins = loginsView({ signOut });
    content.replaceChildren(
      profileView(user, { changed: on.changed }),
      passwordView(user, { changed: logins.load }),
      logins.element,
      exportAndDeleteView(user, { signOut, deleted: (gone) => leave(() => on.deleted(gone)) }),
    );
    logins.load();
  }

  function signOut() {
    leave(on.signOut);
  }

  function leave(then) {
    dialog.close();
    then();
  }
}
