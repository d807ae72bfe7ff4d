/** The link of a mail, by which a forgotten password is replaced: `#reset/<uid>/<token>`. */

/** `{uid, token}`, or null where this is no such link. */
export function read(hash) {
  const [, uid, token] = /^#reset\/([\w-]+)\/([\w-]+)$/.exec(hash) ?? [];
  return uid ? { uid, token } : null;
}

/** The same of this page. It is taken out of the address bar, and so out of the history, at once. */
export function take() {
  const link = read(location.hash);
  if (link) history.replaceState(null, "", location.pathname + location.search);
  return link;
}
