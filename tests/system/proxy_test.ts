/** The bad proxy, in this process and inside a host. */

import assert from "node:assert/strict";
import { Proxy, Rig, startProxy, systemTest, until } from "./rig/mod.ts";

Deno.test("proxy: bytes pass both ways and are counted, and an end is passed on", async () => {
  await using server = echo();
  await using proxy = new Proxy({ target: server.address });
  using conn = await dial(proxy);
  await send(conn, "hello, ");
  await send(conn, "world");
  await conn.closeWrite();
  assert.equal(await readAll(conn), "hello, world");
  await until("the connection is over", async () => (await proxy.counters()).open === 0);
  assert.deepEqual(await proxy.counters(), { toTarget: 12, fromTarget: 12, accepted: 1, open: 0 });
});

Deno.test("proxy: a rate and a delay cannot be beaten", async () => {
  await using server = echo();
  await using proxy = new Proxy({ target: server.address, delayMs: 100 });
  using conn = await dial(proxy);
  let start = performance.now();
  await send(conn, "x");
  assert.equal(await readSome(conn), "x");
  assert.equal(performance.now() - start >= 190, true, "there and back again, 100 ms each");
  await proxy.setDelay(0);
  await proxy.setRate(100_000);
  start = performance.now();
  await send(conn, "y".repeat(40_000));
  await conn.closeWrite();
  assert.equal((await readAll(conn)).length, 40_000);
  assert.equal(performance.now() - start >= 390, true, "40,000 bytes at 100,000 a second");
  await proxy.setRate(null);
});

Deno.test("proxy: a stall holds back bytes and ends, but no connection", async () => {
  await using server = echo();
  await using proxy = new Proxy({ target: server.address });
  using conn = await dial(proxy);
  await send(conn, "before");
  assert.equal(await readSome(conn), "before");
  await proxy.stall(true);
  await send(conn, "after");
  await conn.closeWrite();
  using second = await dial(proxy);
  await until("the second is accepted", async () => (await proxy.counters()).accepted === 2);
  await send(second, "too");
  assert.equal((await proxy.counters()).toTarget, "before".length);
  assert.equal((await proxy.counters()).open, 2);
  await proxy.stall(false);
  assert.equal(await readAll(conn), "after");
  assert.equal(await readSome(second), "too");
});

Deno.test("proxy: a cut ends what is open and lets new connections in", async () => {
  await using server = echo();
  await using proxy = new Proxy({ target: server.address });
  using conn = await dial(proxy);
  await send(conn, "x");
  assert.equal(await readSome(conn), "x");
  await proxy.cut();
  assert.equal(await readAll(conn), "");
  using again = await dial(proxy);
  await send(again, "y");
  assert.equal(await readSome(again), "y");
});

Deno.test("proxy: a target that refuses ends the connection; without one nobody answers", async () => {
  await using gone = echo();
  const target = gone.address;
  await gone[Symbol.asyncDispose]();
  await using proxy = new Proxy({ target });
  using conn = await dial(proxy);
  assert.equal(await readAll(conn), "");
  await using silent = new Proxy();
  using waiting = await dial(silent);
  await send(waiting, "anybody?");
  await until("it is accepted", async () => (await silent.counters()).open === 1);
  await silent.cut();
});

systemTest("proxy: inside a host it forwards what other hosts send there", async () => {
  await using rig = await Rig.start({ hosts: ["n1", "n2"] });
  await using proxy = await startProxy({
    host: rig.host("n1"),
    listen: { hostname: "0.0.0.0", port: 2222 },
    target: { hostname: rig.host("n2").address, port: 22 },
  });
  const ssh = (script: string, seconds = 20) =>
    rig.origin.run([
      ...["ssh", "-p", "2222", "-o", "HostKeyAlias=n2", "-o", `ConnectTimeout=${seconds}`],
      ...[rig.host("n1").address, script],
    ]);
  assert.deepEqual(await ssh("hostname"), { code: 0, stdout: "n2\n", stderr: "" });
  const { toTarget, fromTarget, accepted } = await proxy.counters();
  assert.equal(toTarget > 1000 && fromTarget > 1000, true);
  assert.equal(accepted, 1);
  await proxy.stall(true);
  assert.match((await ssh("true", 1)).stderr, /timed out during banner exchange/);
  await proxy.stall(false);
  await proxy.setRate(1_000_000);
  await proxy.setDelay(1);
  await proxy.cut();
  assert.equal((await ssh("true")).code, 0);
});

interface Echo extends AsyncDisposable {
  readonly address: { hostname: string; port: number };
}

function echo(): Echo {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conns: Promise<unknown>[] = [];
  const accepting = (async () => {
    for await (const conn of listener) {
      conns.push(conn.readable.pipeTo(conn.writable).catch(String));
    }
  })();
  let closed = false;
  return {
    address: { hostname: "127.0.0.1", port: listener.addr.port },
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      listener.close();
      await accepting;
      await Promise.all(conns);
    },
  };
}

async function dial(proxy: Proxy): Promise<Deno.TcpConn> {
  return await Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
}

async function send(conn: Deno.TcpConn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await conn.write(rest));
}

async function readSome(conn: Deno.TcpConn): Promise<string> {
  const bytes = new Uint8Array(1024);
  const length = await conn.read(bytes) ?? 0;
  return new TextDecoder().decode(bytes.subarray(0, length));
}

async function readAll(conn: Deno.TcpConn): Promise<string> {
  let text = "";
  for (;;) {
    const some = await readSome(conn);
    if (some === "") return text;
    text += some;
  }
}
