import assert from "node:assert/strict";
import { defaultPolicy, type Policy } from "../../../core/mod.ts";
import { createGroup } from "../../../modules/group/mod.ts";
import { createMailbox } from "../../../modules/mailbox/mod.ts";
import { SeededRandom } from "../../simulation/random.ts";
import { SimulatedMesh } from "../mesh/simulated_mesh.ts";

const BOOT_MS = 3_000;
const MESSAGES = 25;
/** Between two faults, at most. */
const FAULT_MS_MAX = 1_500;
/** Between two messages, so that faults meet them. */
const PAUSE_MS_MAX = 1_000;
const SEEDS = 12;
const RELAYS = ["n2", "n3", "n4"];

/** Programs on all nodes may send. */
function policy(): Policy {
  const { rules, limits } = defaultPolicy("ops");
  return { limits, rules: [...rules, { ...rules[0]!, who: ["node:*"], verbs: ["mailbox.put"] }] };
}

/** What goes wrong on the ways from n1 to n5, all of which lead over n2, n3 or n4. */
function fault({ simulation }: SimulatedMesh, random: SeededRandom): void {
  const relay = RELAYS[random.below(RELAYS.length)] as string;
  const end = random.below(2) === 0 ? "n1" : "n5";
  const kind = random.below(4);
  if (kind === 0) simulation.reset(end, relay);
  else if (kind === 1) {
    simulation.freeze(relay);
    simulation.after(FAULT_MS_MAX, () => simulation.thaw(relay));
  } else if (kind === 2) {
    simulation.block(end, relay);
    simulation.after(FAULT_MS_MAX, () => simulation.open(end, relay));
  } else {
    simulation.block(relay, end);
    simulation.after(2 * FAULT_MS_MAX, () => simulation.open(relay, end));
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  Deno.test(`simulated mailboxes: whatever its relays suffer, each message comes once at most, in order (seed ${seed})`, async () => {
    await using mesh = SimulatedMesh.create({
      seed: `mailbox ${seed}`,
      nodes: 5,
      modules: () => [createGroup(), createMailbox()],
      policy: policy(),
    });
    const { simulation } = mesh;
    const random = new SeededRandom(`faults ${seed}`);
    await mesh.startAll();
    await simulation.run({ forMs: BOOT_MS });
    simulation.partition(["n1"], ["n5"]);
    await simulation.run({ forMs: BOOT_MS });
    let over = false;
    const breakSomething = () => {
      if (over) return;
      fault(mesh, random);
      simulation.after(1 + random.below(FAULT_MS_MAX), breakSomething);
    };
    breakSomething();
    const outcomes: ("kept" | "unknown" | "never")[] = [];
    const sending = (async () => {
      const mailbox = mesh.get("n1").caller("mailbox");
      for (let i = 0; i < MESSAGES; i++) {
        await new Promise<void>((go) => simulation.after(random.below(PAUSE_MS_MAX), go));
        const args = { node: "n5", tag: "t", data: Uint8Array.of(i) };
        outcomes.push(
          await mailbox.request("mailbox.send", args).then(() => "kept" as const, (error) => {
            assert.ok(["unreachable", "timeout"].includes(error.class), String(error));
            return error.detail?.ran === "maybe" ? "unknown" : "never";
          }),
        );
      }
    })();
    await simulation.finish(sending, { forMs: 3_600_000 });
    over = true;
    simulation.heal();
    await simulation.run({ forMs: 10_000 });
    const received = await simulation.finish(receiveAll(mesh));
    assert.deepEqual(received, [...new Set(received)].sort((a, b) => a - b));
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome === "kept") assert.ok(received.includes(i), `${i} was kept and is not there`);
      if (outcome === "never") assert.ok(!received.includes(i), `${i} was not sent and is there`);
    }
    assert.ok(outcomes.includes("kept"));
  });
}

async function receiveAll(mesh: SimulatedMesh): Promise<number[]> {
  const call = mesh.get("n5").caller("mailbox").stream("mailbox.receive", { tag: "t", waitMs: 0 });
  const numbers: number[] = [];
  await call.send(null);
  for await (const item of call) {
    if (!(item instanceof Uint8Array)) continue;
    numbers.push(...item);
    await call.send(null);
  }
  return numbers;
}
