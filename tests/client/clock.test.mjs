import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock } from "../../client/js/clock.js";

/** A clock on a local time that the test sets; the server is `ahead` of it by so much. */
function setUp({ ahead = 0, local = 1_000_000 } = {}) {
  const world = { local, ahead };
  const clock = new Clock(() => world.local);
  const ping = (there, back, held = 0) => {
    const client_time = world.local;
    const server_received = client_time + there + world.ahead;
    world.local += there + held + back;
    clock.addPong({ client_time, server_received, server_sent: server_received + held });
  };
  return { world, clock, ping };
}

test("before any sample the local clock is believed", () => {
  const { clock } = setUp();
  assert.equal(clock.now(), 1_000_000);
  assert.equal(clock.roundTrip, null);
});

test("the offset is signed: positive where the server is ahead, negative where it is behind", () => {
  for (const ahead of [37_000, -37_000]) {
    const { clock, ping } = setUp({ ahead });
    ping(10, 10);
    assert.equal(clock.offset, ahead);
  }
});

test("the time that the server held the ping is no part of the round trip", () => {
  const { clock, ping } = setUp({ ahead: 500 });
  ping(10, 10, 300);
  assert.equal(clock.roundTrip, 20);
  assert.equal(clock.offset, 500);
});

test("the sample with the least round trip wins, whenever it came", () => {
  const { clock, ping } = setUp({ ahead: 100 });
  ping(80, 5); // 37.5 off
  ping(4, 4); // exact
  ping(5, 200); // 97.5 off the other way
  assert.equal(clock.offset, 100);
  assert.equal(clock.roundTrip, 8);
});

test("an offset is off by at most half of its round trip", () => {
  const { clock, ping } = setUp({ ahead: 100 });
  ping(0, 40);
  assert.equal(Math.abs(clock.offset - 100), 20);
});

test("only the last eight samples count", () => {
  const { world, clock, ping } = setUp({ ahead: 0 });
  ping(1, 1);
  world.ahead = 250; // the clocks have drifted apart
  for (let i = 0; i < 7; i += 1) ping(5, 5);
  assert.equal(clock.offset, 0);
  ping(5, 5);
  assert.equal(clock.offset, 250);
});

test("the first frame with a time is better than nothing, and any sample better than it", () => {
  const { world, clock, ping } = setUp({ ahead: 5000 });
  clock.addHint(world.local + 5000 - 30); // it was 30 ms on its way
  assert.equal(clock.offset, 4970);
  ping(50, 50);
  assert.equal(clock.offset, 5000);
});

test("a frame that is merely late changes nothing", () => {
  const { world, clock, ping } = setUp({ ahead: 100 });
  ping(5, 5);
  clock.addHint(world.local + 100 - 2000);
  clock.addHint(world.local + 100 + 1); // within the tolerance
  assert.equal(clock.offset, 100);
});

test("after this machine slept, one frame corrects the clock", () => {
  const { world, clock, ping } = setUp({ ahead: 100 });
  ping(5, 5);
  world.ahead += 60_000; // the monotonic clock stood still for a minute
  clock.addHint(world.local + world.ahead - 8);
  assert.equal(clock.offset, 60_092);
  ping(5, 5);
  assert.equal(clock.offset, 60_100);
});

test("a new connection keeps the offset until its first sample, which wins", () => {
  const { world, clock, ping } = setUp({ ahead: 100 });
  ping(1, 1);
  clock.renew();
  assert.equal(clock.offset, 100);
  world.ahead = 90;
  ping(200, 200);
  assert.equal(clock.offset, 90);
});

test("a pong without its times is ignored", () => {
  const { clock } = setUp();
  clock.addPong({ client_time: 1, server_received: null });
  clock.addPong({});
  clock.addHint(NaN);
  assert.equal(clock.offset, 0);
});
