/** The export of the user's data, signing out, and the deletion of the account. */

import { askFile } from "../../api.js";
import { h, setText } from "../../dom.js";
import { deleteDialog } from "./delete.js";
import { section } from "./form.js";

export function exportAndDeleteView(user, { signOut, deleted }) {
  const said = h("p", { class: "small", role: "status" });
  const problem = h("p", { class: "wrong small", role: "alert" });
  const button = (text, work, kind = "quiet") =>
    h("button", { type: "button", class: kind, onclick: work }, text);
  let busy = false;

  async function downloadExport() {
    if (busy) return;
    busy = true;
    setText(problem, "");
    setText(said, "Collecting…");
    try {
      download(`space-${user.username}.json`, await askFile("/users/me/export/"));
      setText(said, "Your data has been downloaded.");
    } catch (error) {
      setText(said, "");
      setText(problem, error.message);
    }
    busy = false;
  }

  const askFirst = (event) => deleteDialog(event.currentTarget, user, { deleted });
  return section(
    "Your data",
    h("p", { class: "muted small" }, "Everything that Space keeps about you, pictures too, as one JSON file."),
    h("div", { class: "row" }, button("Download my data", downloadExport), said, problem),
    h(
      "div",
      { class: "row spread out" },
      button("Sign out", signOut),
      button("Delete my account", askFirst, "quiet danger"),
    ),
  );
}

function download(name, file) {
  const href = URL.createObjectURL(file);
  h("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000); // some browsers begin late
}
