/**
 * Daemons on hosts of one network, whose mesh file says nothing of where they are: they find each
 * other by multicast DNS, and who does not look around says nothing. One rig for all of it.
 */

import assert from "node:assert/strict";
import { decodeWord } from "../../modules/discovery/word.ts";
import { type Daemon, InstalledMesh } from "../support/installed_mesh.ts";
import { type Host, Process, Rig, systemTest, until } from "./rig/mod.ts";

const EAR = new URL("./rig/multicast_ear.ts", import.meta.url).pathname;
const LISTED_PORT = 7_117;

/** Of two nodes nothing is known but their names; one is listed as ever. */
const HOSTS = `[[hosts]]
names = "a"
groups = ["registrar"]
[[hosts]]
names = "c,d,e"
[[hosts]]
names = "b"
address = "10.77.0.12"
port = ${LISTED_PORT}
`;
const OTHERS = '[[hosts]]\nnames = "x,y"\n';
const DISCOVER = "discover = true\n";

systemTest("discovery: nodes without addresses find each other on one network", async (test) => {
  await using rig = await Rig.start({ hosts: ["h1", "h2", "h3"] });
  const [h1, h2, h3] = rig.hosts as [Host, Host, Host];
  await using ear = new Ear(h1);
  await ear.listening;
  await using mesh = await prepare(["a", "b", "c", "d", "e"], HOSTS, { e: "4s" });
  await using others = await prepare(["x", "y"], OTHERS);
  const daemons = new Map<string, Daemon>();
  const start = (of: InstalledMesh, node: string, host: Host) => {
    const daemon = of.start(node, { starter: ["nsenter", "-t", String(host.holderPid), "-n"] });
    daemons.set(node, daemon);
    return daemon;
  };

  await test.step("three find each other, beside another mesh and other programs", async () => {
    start(mesh, "a", h1);
    start(others, "x", h1);
    start(mesh, "b", h2);
    start(others, "y", h2);
    start(mesh, "c", h3);
    await mesh.settled("a", "b", "c");
    await others.settled("x", "y");
    // There is no other way between these two; the end that dialled says in its log where.
    await until(
      "a log says so",
      () =>
        ["x", "y"].some((node) =>
          daemons.get(node)?.lines.some((line) =>
            /Found \\"[xy]\\" at tcp:10\.77\.0\.1[12]:\d+ by multicast DNS/.test(line)
          )
        ),
    );
    // Its name means nothing to others, so it tells them its address.
    const a = (await mesh.local.nodes()).find(({ name }) => name === "a");
    assert.match(a?.endpoints[0] ?? "", /^tcp:10\.77\.0\.11:\d+$/);
  });

  await test.step("a late one is found, though another daemon is on its host", async () => {
    start(mesh, "d", h1);
    await mesh.settled("a", "b", "c", "d");
    await others.settled("x", "y");
  });

  await test.step("a node that was killed is found in its next life, at another port", async () => {
    daemons.get("c")?.kill("SIGKILL");
    await daemons.get("c")?.status;
    await mesh.settled("a", "b", "d");
    start(mesh, "c", h3);
    await mesh.settled("a", "b", "c", "d");
  });

  // The file says of no registrar where it is, so it never came back; its log said there was none.
  await test.step("one whose certificate has expired finds a registrar", async () => {
    const late = start(mesh, "e", h3);
    await late.line(/Certificate of \\"e\\" has expired: asking a registrar/);
    await late.line(/"message":"Running"/);
    await daemons.get("a")?.line(/Certificate of \\"e\\" was renewed here/);
    // What it got lives no longer than what it had.
    late.kill("SIGKILL");
    await late.status;
    await mesh.settled("a", "b", "c", "d");
  });

  await test.step("the other mesh was not disturbed, and nobody has met a stranger", () => {
    for (const [node, { lines }] of daemons) {
      const met = lines.filter((line) => /Cannot (link|look).*multicast DNS/.test(line));
      assert.deepEqual(met, [], node);
    }
  });

  await test.step("what is meant for other programs at the port reaches them", async () => {
    await ear.take(h2, "mine");
  });

  await test.step("one that does not look around asks nothing and says nothing", async () => {
    const tag = await tagOf(daemons.get("a") as Daemon);
    const other = await tagOf(daemons.get("x") as Daemon);
    const said = (tag: string, since: number) =>
      ear.heard.slice(since).flatMap(({ bytes }) => decodeWord(tag, bytes) ?? []).length;
    assert.ok(said(tag, 0) > 0 && said(other, 0) > 0);
    for (const node of ["a", "b", "c", "d"]) {
      await switchOff(mesh, node);
      daemons.get(node)?.kill("SIGHUP");
      await daemons.get(node)?.line(/Mesh file read again: no looking around changed/);
    }
    for (const node of ["b", "c", "d", "y"]) await stop(daemons.get(node) as Daemon);
    await stop(daemons.get("a") as Daemon);
    // What the ear has heard, it may not have told yet: behind this there is nothing from before.
    await ear.take(h2, "quiet");
    const since = ear.heard.length;
    // Alone and without a link it would ask at once; one that does look around asks twice meanwhile.
    await start(mesh, "a", h1).line(/"message":"Running"/);
    const before = said(other, 0);
    start(others, "y", h2);
    await until("the others have asked", () => said(other, 0) >= before + 2);
    assert.equal(said(tag, since), 0);
    await mesh.settled("a");
  });
});

function prepare(
  nodes: readonly string[],
  hosts: string,
  lives: Readonly<Record<string, string>> = {},
): Promise<InstalledMesh> {
  return InstalledMesh.prepare({ nodes, hosts, lives, more: DISCOVER });
}

async function switchOff(mesh: InstalledMesh, node: string): Promise<void> {
  const path = `${mesh.keys(node)}/mesh.toml`;
  const text = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, text.replace(DISCOVER, ""));
}

async function stop(daemon: Daemon): Promise<void> {
  daemon.kill("SIGTERM");
  await daemon.status;
}

/** As its log says. */
async function tagOf(daemon: Daemon): Promise<string> {
  const line = await daemon.line(/Looking around for nodes/);
  return /"tags":\["([0-9a-f]{16})"\]/.exec(line)?.[1] ?? "";
}

/** What is said on the network of a host. */
class Ear implements AsyncDisposable {
  readonly heard: { readonly from: string; readonly bytes: Uint8Array }[] = [];
  readonly listening: Promise<void>;
  readonly #address: string;
  readonly #process: Process;
  readonly #over: Promise<void>;

  constructor(host: Host) {
    this.#address = host.address;
    const argv = [Deno.execPath(), "run", "-A", "--unstable-net", "--no-config", "--no-lock", EAR];
    this.#process = host.spawnInNetwork([...argv, host.address], { NO_COLOR: "1" });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.listening = promise;
    this.#over = this.#read(resolve);
  }

  /** Resolves when it has told of these bytes, which are sent to the port of its host and to nobody else. */
  async take(from: Host, text: string): Promise<void> {
    const hex = new TextEncoder().encode(text).toHex();
    const command = `echo -n ${text} >/dev/udp/${this.#address}/5353`;
    await using sender = from.spawnInNetwork(["bash", "-c", command]);
    assert.equal((await sender.status).code, 0);
    await until(`"${text}" came`, () => this.heard.some(({ bytes }) => bytes.toHex() === hex));
  }

  async #read(onListening: () => void): Promise<void> {
    let rest = "";
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "listening") onListening();
        const [from = "", hex = ""] = line.split(" ");
        if (hex !== "") this.heard.push({ from, bytes: Uint8Array.fromHex(hex) });
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await this.#over;
  }
}
