// node socketio.mjs PORT [REDIS_URL]: socket.io with a room for each session, by itself or with
// the Redis adapter, which it needs as soon as there are two processes.

import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { everySecond } from "./ticks.mjs";

const [port, redisUrl] = process.argv.slice(2);
const server = createServer();
const io = new Server(server, { transports: ["websocket"], serveClient: false });

if (redisUrl) {
  const pubClient = createClient({ url: redisUrl });
  const subClient = pubClient.duplicate();
  await Promise.all([pubClient.connect(), subClient.connect()]);
  io.adapter(createAdapter(pubClient, subClient, { key: `peer-${port}` }));
}

const sessions = new Map(); // number -> { sockets: how many, stop }

io.on("connection", (socket) => {
  const session = Number(socket.handshake.query.session);
  // The documents' advice for many sockets: let go of the request, once it is not needed any more.
  socket.conn.request = null;
  const room = `session:${session}`;
  socket.join(room);
  if (!sessions.has(session)) {
    const stop = everySecond(session, (tick) => io.to(room).emit("session.tick", tick));
    sessions.set(session, { sockets: 0, stop });
  }
  const watched = sessions.get(session);
  watched.sockets += 1;
  socket.on("disconnect", () => {
    watched.sockets -= 1;
    if (watched.sockets > 0) return;
    watched.stop();
    sessions.delete(session);
  });
});

server.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 }, () =>
  console.log("ready"),
);
process.on("SIGTERM", () => process.exit(0));
