"""client.py http://127.0.0.1:8000 NAME PASSWORD. Then type: start 7, pause 7, resume 7 ..."""
import asyncio, json, math, os, random, sys, threading, time, urllib.request, uuid, websockets
from datetime import datetime, timedelta

base, name, password = sys.argv[1:]
# The newest state of each session; epoch and since: how far we have come; the open socket, and the
# attempts since the last; samples of the server's clock: (round trip, offset), in milliseconds.
sessions, seen, link, samples = {}, {}, {"attempt": 0}, [(math.inf, 0)]

def post(path, **body):
    data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
    return json.load(urllib.request.urlopen(urllib.request.Request(base + path, data, headers)))

def parse(instant): return datetime.fromisoformat(instant).timestamp() * 1000

async def send(**frame): await link["socket"].send(json.dumps(frame))

def learn(state):  # of two states of a session the one with the higher version is the newer
    if state and state["timer"]["version"] >= sessions.get(state["id"], state)["timer"]["version"]:
        sessions[state["id"]] = state

async def receive(frame, now):
    if frame["type"] == "ready":  # (a client that shows lists loads /sessions/ if `reset` is true)
        sessions.clear()
        print("connected, missed:", *(change["kind"] for change in frame["changes"]))
        for state in [frame["active"], *(c["state"] for c in frame["changes"])]: learn(state)
        seen["epoch"], seen["since"], link["attempt"] = frame["epoch"], frame["revision"], 0
        samples[:] = [(math.inf, parse(frame["server_time"]) - now)]  # until the pong comes
        await send(type="ping", client_time=now)
    elif frame["type"] == "pong":
        there, back = frame["server_received"] - frame["client_time"], frame["server_sent"] - now
        samples[:] = [*samples[-7:], (there - back, (there + back) / 2)]
    elif frame["type"] == "error": print(frame["message"])
    elif frame.get("revision", 0) > seen.get("since", 0):  # a change; not above it: a repeat
        learn(frame["state"] or (sessions.pop(frame["session"], None) and None))
        if frame["revision"] == seen["since"] + 1: seen["since"] += 1
        else: await send(type="sync", **seen)  # a gap

def draw(now):  # from the deadline and the server's clock, rounded up: a tick only says when
    for timer, title in [(session["timer"], session["title"]) for session in sessions.values()]:
        if timer["status"] in ("running", "paused"):
            left = parse(timer["ends_at"]) - now if timer["ends_at"] else timer["remaining_ms"]
            print(timedelta(seconds=math.ceil(max(0, left) / 1000)), timer["status"], title)

def keyboard(loop):  # (a command with a key may be sent again, here or over REST: it happens once)
    while words := os.read(0, 999).decode().split():
        session, key = int("".join(filter(str.isdigit, words[-1])) or 0), uuid.uuid4().hex
        version = sessions[session]["timer"]["version"] if session in sessions else None
        what = {"action": words[0], "session": session, "version": version, "key": key}
        asyncio.run_coroutine_threadsafe(send(type="command", id=key, **what), loop)

async def main():
    threading.Thread(target=keyboard, args=[asyncio.get_running_loop()], daemon=True).start()
    pair, closing = post("/users/login/", username=name, password=password), {}
    while closing.get("reconnect", True):
        try:
            if closing.get("code") == 4401: pair = post("/users/token/refresh/", **pair)
            closing, link["attempt"] = {}, link["attempt"] + 1
            async with websockets.connect(base.replace("http", "ws", 1) + "/ws/") as link["socket"]:
                await send(type="authenticate", token=pair["access"], device="Terminal", **seen)
                while not closing:
                    frame = json.loads(await asyncio.wait_for(link["socket"].recv(), 30))
                    if frame["type"] == "closing": closing = frame
                    await receive(frame, time.monotonic() * 1000)
                    draw(time.monotonic() * 1000 + min(samples)[1])
        except (OSError, websockets.WebSocketException) as loss:
            print("lost:", loss)
            if getattr(loss, "status", 0) == 401: raise  # the refresh is refused: sign in again
        jitter = random.uniform(0, min(30, 0.5 * 2 ** link["attempt"]))  # not all at once
        await asyncio.sleep(max(jitter, closing.get("after_ms", 0) / 1000))

asyncio.run(main())
