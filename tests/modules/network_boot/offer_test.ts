import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { TICKETS_MAX } from "../../../modules/network_boot/limits.ts";
import { Offer, type Pack } from "../../../modules/network_boot/offer.ts";

const FILE = "the program, as gzip would give it";
const PRINT: Pack = () => Promise.resolve(["printf", "%s", FILE]);

class Fixture implements AsyncDisposable {
  readonly closed: number[] = [];
  readonly offer: Offer;
  port = 0;

  constructor(pack: Pack = PRINT) {
    this.offer = new Offer(createRealEnvironment(), {
      log: () => {},
      pack,
      onClosed: () => this.closed.push(this.port),
    });
  }

  /** Resolves to the line that redeems the ticket. */
  async ticket(byte: number, seconds = 60): Promise<string> {
    this.port = await this.offer.accept(new Uint8Array(16).fill(byte), seconds);
    return byte.toString(16).padStart(2, "0").repeat(16) + "\n";
  }

  /** What comes back for these bytes; "refused" when nobody listens. */
  async ask(line: string): Promise<string> {
    try {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
      await connection.write(new TextEncoder().encode(line));
      return await readAll(connection);
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) return "refused";
      if (error instanceof Deno.errors.ConnectionReset) return "";
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.offer.close();
    while (this.port !== 0 && this.closed.length === 0) await pause();
  }
}

async function readAll(connection: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
    text += decoder.decode(buffer.subarray(0, n), { stream: true });
  }
  return text;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

Deno.test("offer: gives the file once for each ticket, and closes its port then", async () => {
  await using fixture = new Fixture();
  const first = await fixture.ticket(1);
  const { port } = fixture;
  const second = await fixture.ticket(2);
  assert.equal(fixture.port, port);
  assert.equal(await fixture.ask(first), FILE);
  assert.equal(await fixture.ask(first), "");
  assert.deepEqual(fixture.closed, []);
  assert.equal(await fixture.ask(second), FILE);
  while (fixture.closed.length === 0) await pause();
  assert.equal(await fixture.ask(second), "refused");
});

Deno.test("offer: opens again for a ticket that comes later", async () => {
  await using fixture = new Fixture();
  assert.equal(await fixture.ask(await fixture.ticket(1)), FILE);
  while (fixture.closed.length === 0) await pause();
  assert.equal(await fixture.ask(await fixture.ticket(3)), FILE);
});

Deno.test("offer: gives nothing to who has no ticket, and stays for who has one", async () => {
  await using fixture = new Fixture();
  const ticket = await fixture.ticket(0xab);
  const wrong = [
    "\n",
    "GET / HTTP/1.1\r\nHost: somebody\r\n\r\n",
    ticket.toUpperCase(),
    ticket.replace("ab", "ac"),
    "a".repeat(33),
    "x".repeat(100_000),
  ];
  for (const line of wrong) {
    assert.equal(await fixture.ask(line), "", JSON.stringify(line.slice(0, 40)));
  }
  assert.equal(await fixture.ask(ticket), FILE);
});

Deno.test("offer: a ticket that nobody redeems in time is void, and the port closes", async () => {
  await using fixture = new Fixture();
  const ticket = await fixture.ticket(1, 0);
  while (fixture.closed.length === 0) await pause();
  assert.equal(await fixture.ask(ticket), "refused");
});

Deno.test("offer: takes a ticket once, and only so many", async () => {
  await using fixture = new Fixture();
  for (let i = 0; i < TICKETS_MAX; i++) await fixture.ticket(i);
  await assert.rejects(fixture.ticket(200), {
    class: "busy",
    message: `More than ${TICKETS_MAX} tickets are open`,
  });
  await using other = new Fixture();
  await other.ticket(1);
  await assert.rejects(other.ticket(1), {
    class: "invalid",
    message: "This ticket is known already",
  });
});

Deno.test("offer: close ends a copy that is under way, and its program", async () => {
  await using fixture = new Fixture(() => Promise.resolve(["sh", "-c", "echo $$; exec sleep 60"]));
  const ticket = await fixture.ticket(9);
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: fixture.port });
  await connection.write(new TextEncoder().encode(ticket));
  const buffer = new Uint8Array(64);
  const count = await connection.read(buffer);
  const pid = Number(new TextDecoder().decode(buffer.subarray(0, count ?? 0)));
  assert.ok(pid > 0);
  const ended = readAll(connection);
  fixture.offer.close();
  await ended.catch(() => "");
  while (isThere(pid)) await pause();
  while (fixture.closed.length === 0) await pause();
});

function isThere(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return !stat.includes(") Z ");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
