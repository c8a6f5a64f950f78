/**
 * What happens to machines, one function a kind: makes the fault, waits, and heals it. Each resolves
 * when all that it did is healed, as far as somebody outside can; that the mesh is whole again is the
 * mesh's own affair. What is wrong by then is a problem, in words.
 */

import { EXIT } from "../../modules/shared/exit_code.ts";
import type { Luck } from "../soak/luck.ts";
import { blackhole, frozen, linkDown, partition, until } from "../system/rig/mod.ts";
import { type Machine, STATE } from "./machine.ts";
import type { Machines } from "./machines.ts";

/** What a fault needs. */
export interface Scene {
  readonly machines: Machines;
  /** To whom it happens. Nobody else does anything to this one meanwhile. */
  readonly machine: Machine;
  readonly luck: Luck;
  /** Told of what should not be. */
  readonly problem: (text: string) => void;
}

export type FaultKind = (scene: Scene) => Promise<void>;

/** Happens to the one machine that has no keys of its own. */
export const JOINING = "late joiner";
/** In one chunk as long as they fit: the last bytes of a disk go one by one. */
const FILL_BYTES = 65_536;
const DOWN_MS_MAX = 1_500;
/** Both sides of what a mesh takes for lost. */
const SILENT_MS_MAX = 8_000;
const FULL_MS_MAX = 3_000;
/** For what the mesh does by itself, on a machine that does much else. */
const PATIENCE = { timeoutMs: 300_000 };

export const FAULTS: ReadonlyMap<string, FaultKind> = new Map(Object.entries(
  {
    "SIGKILL": async ({ machine, luck }) => {
      await machine.end("SIGKILL");
      await pause(luck.below(DOWN_MS_MAX));
      machine.start();
    },
    "SIGTERM": async ({ machine, luck, problem }) => {
      const code = await machine.end("SIGTERM");
      if (code !== undefined && code !== 0) {
        problem(`${machine.name} exits with ${code} on SIGTERM`);
      }
      await pause(luck.below(DOWN_MS_MAX));
      machine.start();
    },
    "SIGSTOP": async ({ machine, luck }) => {
      const pid = machine.pid;
      await using _fault = await frozen(machine.host, ...pid === undefined ? [] : [pid]);
      await pause(luck.below(SILENT_MS_MAX));
    },
    "link down": async ({ machine, luck }) => {
      await using _fault = await linkDown(machine.host);
      await pause(luck.below(SILENT_MS_MAX));
    },
    "black hole": async ({ machine, luck }) => {
      await using _fault = await blackhole(machine.host);
      await pause(luck.below(SILENT_MS_MAX));
    },
    "partition": async ({ machines, machine, luck }) => {
      const others = luck.shuffled(machines.names.filter((name) => name !== machine.name));
      const hosts = others.slice(0, 1 + luck.below(3)).map((name) => machines.named(name).host);
      await using _fault = await partition(machines.rig, [machine.host, ...hosts]);
      await pause(luck.below(SILENT_MS_MAX));
    },
    "disk full": async ({ machine, luck }) => {
      const path = machine.host.path(`${STATE}/filler`);
      using _excused = machine.excused();
      fill(path);
      // As likely as not it has to begin with that disk.
      if (luck.oneIn(2)) {
        await machine.end("SIGKILL");
        machine.start();
      }
      await pause(luck.below(FULL_MS_MAX));
      await Deno.remove(path);
    },
    "reload": async ({ machines, machine, luck }) => {
      const whole = await Deno.readTextFile(machine.file);
      const other = luck.one(machines.names.filter((name) => name !== machine.name));
      const without = whole.replace(
        new RegExp(`\\[\\[hosts\\]\\]\nnames = "${other}"\n(.+\n)+`),
        "",
      );
      for (const text of [`${without}[defaults]\nlog_level = "debug"\n`, "nonsense", whole]) {
        await Deno.writeTextFile(machine.file, text);
        await machine.signal("SIGHUP");
        await pause(luck.below(500));
      }
    },
    [JOINING]: async ({ machines, machine }) => {
      using _excused = machine.excused();
      await machine.end("SIGTERM");
      await machines.giveToken();
      machine.start();
      await until(
        `${machine.name} has joined`,
        () => machine.pid !== undefined && isThere(machine.keys("node.cert")),
        PATIENCE,
      );
    },
    "revoked": async ({ machines, machine, problem }) => {
      using _excused = machine.excused();
      const { code, stdout, stderr } = await machines.ask("revoke", machine.name, "--json");
      // Where nobody could be told, people are told to do this.
      if (code === EXIT.unreachable) {
        await until("the mesh knows who is revoked", async () => {
          return (await machines.ask("mesh", "publish")).code !== EXIT.unreachable;
        }, PATIENCE);
      }
      // Who is away is told later by the others.
      if (stdout === "") return problem(`Nobody took the revocation: exit ${code}, ${stderr}`);
      await machine.ended();
      await machines.provision(machine);
      machine.start();
    },
  } satisfies Record<string, FaultKind>,
));

function fill(path: string): void {
  using file = Deno.openSync(path, { create: true, write: true });
  for (let bytes = FILL_BYTES; bytes >= 1;) {
    try {
      file.writeSync(new Uint8Array(bytes));
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes("os error 28")) throw error;
      bytes = Math.floor(bytes / 2);
    }
  }
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
