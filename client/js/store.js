/**
 * The state of this page: sessions by their version, all of it by the user's revision.
 *
 * Of two states of a session the higher version wins, so a repeat or a late message does no harm.
 * A revision that is not the next one is a gap: a change was missed, and `sync` brings it.
 */

const ACTIVE = ["running", "paused"];

export const isActive = (session) => ACTIVE.includes(session.timer.status);
export const isReady = (session) => session.timer.status === "ready";
export const isEnded = (session) => !isActive(session) && !isReady(session);

export class Store {
  epoch = null;
  revision = null;
  loaded = false;
  failed = false; // the lists could not be loaded, and are not there yet
  older = null; // the path of the next page of ended sessions
  #sessions = new Map();
  #spaces = new Map();
  #spaceOf = new Map(); // the same by session
  #deleted = new Set();
  #loads = new Set(); // those on their way: each the ids of the changes since it began
  #listeners = new Set();

  onChange(listener) {
    this.#listeners.add(listener);
  }

  session(id) {
    return this.#sessions.get(id) ?? null;
  }

  active() {
    return [...this.#sessions.values()].find(isActive) ?? null;
  }

  sessions() {
    return [...this.#sessions.values()].sort(byPlace);
  }

  spaces() {
    return [...this.#spaces.values()];
  }

  spaceOf(sessionId) {
    return this.#spaceOf.get(sessionId) ?? null;
  }

  /**
   * Sessions that are not known although they ended later than others that are, the latest first:
   * pages go by when a session was planned, and these were planned long before. Their stars tell.
   */
  unlisted(atMost = 20) {
    if (!this.older) return [];
    const ends = this.sessions().filter(isEnded).map((session) => Date.parse(session.timer.ended_at));
    const since = Math.min(...ends);
    return this.spaces()
      .filter((space) => Date.parse(space.created_at) > since && !this.#sessions.has(space.session))
      .sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at))
      .slice(0, atMost)
      .map((space) => space.session);
  }

  /** Take the state of a session; false where the known state is as new. */
  adopt(state) {
    if (this.#deleted.has(state.id)) return false;
    const known = this.#sessions.get(state.id);
    if (known && known.timer.version >= state.timer.version) return false;
    this.#sessions.set(state.id, state);
    this.#newer(state.id);
    this.#changed();
    return true;
  }

  remove(id) {
    this.#deleted.add(id); // a late state must not bring it back
    this.#sessions.delete(id);
    const space = this.spaceOf(id);
    if (space) this.#spaces.delete(space.id);
    this.#spaceOf.delete(id);
    this.#changed();
  }

  addSpace(space) {
    if (this.#deleted.has(space.session)) return;
    this.#spaces.set(space.id, space);
    this.#spaceOf.set(space.session, space);
    this.#newer(`space ${space.id}`);
    this.#changed();
  }

  /** A frame about a change. True where revisions are missing before it. */
  receive(frame) {
    if (frame.type === "session.deleted") this.remove(frame.session);
    else if (frame.state) this.adopt(frame.state);
    if (frame.space) this.addSpace(frame.space);
    return this.#advance(frame.revision);
  }

  /** Missed changes (`ready`, or the answer to `sync`). True where the lists must be loaded. */
  catchUp({ epoch, revision, reset, active, changes = [] }) {
    const first = this.revision === null;
    if (epoch !== this.epoch && this.epoch !== null) this.clear(); // versions may have gone back
    for (const change of changes) {
      if (change.kind === "deleted") this.remove(change.session);
      else if (change.state) this.adopt(change.state);
    }
    if (active) this.adopt(active);
    this.epoch = epoch;
    this.revision = Math.max(revision, reset ? 0 : (this.revision ?? 0));
    return Boolean(first || reset || !this.loaded);
  }

  /** Begin to load lists. The result, for `load`, collects the changes that arrive meanwhile. */
  beginLoad() {
    const begun = new Set();
    this.#loads.add(begun);
    return begun;
  }

  loadFailed(begun) {
    this.#loads.delete(begun);
    this.failed = !this.loaded;
    this.#changed();
  }

  /** The next page of a list that is known up to here. */
  append(sessions, older) {
    this.older = older;
    sessions.forEach((session) => this.adopt(session));
    this.#changed();
  }

  /**
   * Fresh lists: they replace the known sessions, except those that changed while the lists were on
   * the way, and those that ended before their first page. False where a load that began later was faster.
   */
  load(sessions, spaces, older = null, newer = this.beginLoad()) {
    if (!this.#loads.has(newer)) return false;
    for (const begun of [...this.#loads]) {
      this.#loads.delete(begun);
      if (begun === newer) break; // those after it bring newer lists
    }
    const listed = new Set(sessions.map((session) => session.id));
    const ended = sessions.filter(isEnded).map(({ id }) => id);
    const first = older === null ? -Infinity : Math.min(...ended);
    for (const [id, known] of this.#sessions) {
      const before = isEnded(known) && id < first;
      if (!listed.has(id) && !newer.has(id) && !before) this.#sessions.delete(id);
    }
    const born = this.spaces().filter((space) => newer.has(`space ${space.id}`));
    const kept = [...spaces, ...born].filter((space) => !this.#deleted.has(space.session));
    this.#spaces = new Map(kept.map((space) => [space.id, space]));
    this.#spaceOf = new Map(kept.map((space) => [space.session, space]));
    sessions.forEach((session) => this.adopt(session));
    [this.loaded, this.failed, this.older] = [true, false, older];
    this.#changed();
    return true;
  }

  clear() {
    this.#loads.clear(); // their lists are of another time, or another user
    [this.epoch, this.revision, this.loaded, this.failed] = [null, null, false, false];
    this.older = null;
    for (const kept of [this.#sessions, this.#spaces, this.#spaceOf, this.#deleted]) kept.clear();
    this.#changed();
  }

  #advance(revision) {
    if (revision === undefined || this.revision === null || revision <= this.revision) return false;
    const gap = revision !== this.revision + 1;
    if (!gap) this.revision = revision;
    return gap;
  }

  #newer(id) {
    this.#loads.forEach((begun) => begun.add(id));
  }

  #changed() {
    this.#listeners.forEach((listener) => listener());
  }
}

/** The active one first, then the ready ones, then the ended ones; the newest of each first. */
function byPlace(a, b) {
  const place = (s) => (isActive(s) ? 0 : isReady(s) ? 1 : 2);
  const when = (s) => Date.parse(s.timer.ended_at ?? s.created_at);
  return place(a) - place(b) || when(b) - when(a) || b.id - a.id;
}
