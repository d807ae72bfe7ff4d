// node ws.mjs PORT: the ws package; a tick is encoded once, then sent to each socket of its session.

import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import { everySecond } from "./ticks.mjs";

const server = createServer();
const wss = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false });
const sessions = new Map(); // number -> { sockets, stop }

function watch(session) {
  const sockets = new Set();
  const stop = everySecond(session, (tick) => {
    const data = Buffer.from(JSON.stringify(tick));
    for (const socket of sockets) {
      if (socket.readyState === WebSocket.OPEN) socket.send(data, { binary: false });
    }
  });
  return { sockets, stop };
}

wss.on("connection", (socket, request) => {
  const session = Number(new URL(request.url, "http://localhost").searchParams.get("session"));
  if (!sessions.has(session)) sessions.set(session, watch(session));
  const { sockets, stop } = sessions.get(session);
  sockets.add(socket);
  socket.on("error", () => {});
  socket.on("close", () => {
    sockets.delete(socket);
    if (sockets.size > 0) return;
    stop();
    sessions.delete(session);
  });
});

server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 }, () =>
  console.log("ready"),
);
process.on("SIGTERM", () => process.exit(0));
