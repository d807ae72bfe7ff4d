/** client.mjs http://127.0.0.1:8000 NAME PASSWORD. Then type: start 7, pause 7, resume 7 ... */
export function watch(base, username, password, show) {
  // The newest state of each session; epoch and since: how far we have come; samples of the
  // server's clock: [round trip, offset], in milliseconds.
  let sessions = new Map(), seen = {}, samples = [[Infinity, 0]];
  let socket, pair, silence, attempt = 0, closing = {};

  async function post(path, body) {
    const json = { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(base + path, { method: "POST", ...json });
    closing.reconnect = answer.status !== 401; // where it is: the user must sign in again
    return answer.ok ? answer.json() : Promise.reject(Error(`${path}: ${answer.status}`));
  }

  const send = (frame) => socket?.readyState === 1 && socket.send(JSON.stringify(frame));

  function learn(state) { // of two states of a session the one with the higher version is newer
    if (!(sessions.get(state.id)?.timer.version > state.timer.version)) sessions.set(state.id, state);
  }

  function receive(frame, now) {
    if (frame.type === "ready") { // (who shows lists loads /sessions/ if `reset` is true)
      sessions.clear();
      [frame.active, ...frame.changes.map((change) => change.state)].filter(Boolean).forEach(learn);
      [seen.epoch, seen.since, attempt] = [frame.epoch, frame.revision, 0];
      show("connected, missed:", ...frame.changes.map((change) => change.kind));
      samples = [[Infinity, Date.parse(frame.server_time) - now]]; // until the pong comes
      send({ type: "ping", client_time: now });
    } else if (frame.type === "pong") {
      const [there, back] = [frame.server_received - frame.client_time, frame.server_sent - now];
      samples = [...samples.slice(-7), [there - back, (there + back) / 2]];
    } else if (frame.type === "closing") closing = frame;
    else if (frame.type === "error") show(frame.message);
    else if (frame.revision > seen.since) { // a change; not above it: a repeat
      frame.state ? learn(frame.state) : sessions.delete(frame.session);
      if (frame.revision > seen.since + 1) send({ type: "sync", ...seen }); // a gap
      else seen.since = frame.revision;
    }
  }

  function draw(now) { // from the deadline and the server's clock: a tick only says when
    for (const { title, timer } of sessions.values()) {
      if (!["running", "paused"].includes(timer.status)) continue;
      const left = timer.ends_at ? Date.parse(timer.ends_at) - now : timer.remaining_ms;
      show(Math.ceil(Math.max(0, left) / 1000), timer.status, title);
    }
  }

  async function connect() {
    pair ??= await post("/users/login/", { username, password });
    if (closing.code === 4401) pair = await post("/users/token/refresh/", pair);
    [socket, closing] = [new WebSocket(`${base.replace("http", "ws")}/ws/`), {}];
    socket.onopen = () => send({ type: "authenticate", token: pair.access, device: "JS", ...seen });
    socket.onclose = socket.onerror = () => socket && comeBack("closed");
    socket.onmessage = ({ data }) => {
      clearTimeout(silence);
      silence = setTimeout(() => socket.close(), 30_000); // two heartbeats
      receive(JSON.parse(data), performance.now());
      draw(performance.now() + samples.reduce((a, b) => (b[0] < a[0] ? b : a))[1]);
    };
  }

  const again = () => connect().catch(comeBack);
  function comeBack(why) {
    clearTimeout(silence);
    socket = null;
    show("lost:", why.message ?? closing.reason ?? why);
    const jitter = Math.random() * Math.min(30_000, 500 * 2 ** attempt++); // not all at once
    if (closing.reconnect ?? true) setTimeout(again, Math.max(jitter, closing.after_ms ?? 0));
  }

  again();
  return (action, session) => {
    const what = { action, session, version: sessions.get(session)?.timer.version };
    send({ type: "command", id: "typed", key: crypto.randomUUID(), ...what });
  };
}

if (globalThis.process) { // Node: what is typed is a command
  const command = watch(...process.argv.slice(2), console.log);
  process.stdin.on("data", (line) => command(...`${line}`.split(" ").map((w) => Number(w) || w)));
}
