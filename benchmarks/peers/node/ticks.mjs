// When a session ticks, and what a tick says: the same for all peers on Node.

// ms: sessions wake at multiples of this and so share wake-ups, as Space's do. By themselves they
// would be less late and cost up to a third more.
const QUANTUM = 10;
const LENGTH = 25 * 60 * 1000; // ms, of every countdown here; they begin again at the end

// The millisecond of each second at which this session ticks: spread over the sessions.
const phase = (session) => (session * 7919) % 1000;

// The first of the session's instants after this one, in milliseconds since 1970.
const nextDue = (session, now) =>
  (Math.floor((now - phase(session)) / 1000) + 1) * 1000 + phase(session);

// What a tick says, in the shape and size of Space's own.
const tick = (session, due) => ({
  type: "session.tick",
  session,
  version: 2,
  remaining_ms: LENGTH - ((due - (due % 1000)) % LENGTH),
  server_time: new Date(due).toISOString().replace("Z", "000Z"),
});

// Calls `send(tick)` at each of the session's seconds; seconds that were slept through are left
// out. Gives back what stops it.
export function everySecond(session, send) {
  let due = nextDue(session, Date.now());
  const wait = () => Math.ceil(due / QUANTUM) * QUANTUM - Date.now();
  const turn = () => {
    send(tick(session, due));
    due = Math.max(due + 1000, nextDue(session, Date.now() - 1000));
    timer = setTimeout(turn, wait());
  };
  let timer = setTimeout(turn, wait());
  return () => clearTimeout(timer);
}
