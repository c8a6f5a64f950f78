/** Runs the script of boot in each shell that a host may have, as if sshd had started it. */

import { createHash } from "node:crypto";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { type BinaryFacts, bootScript } from "../../../modules/network_boot/boot_script.ts";
import { LineProcess } from "../../../modules/network_boot/line_process.ts";
import { ScriptFacts } from "../../../modules/network_boot/script_facts.ts";
import { SshDialogue } from "../../../modules/network_boot/ssh_dialogue.ts";

/** Every shell of this machine that a host may have as /bin/sh. */
export const SHELLS: readonly (readonly [string, ...string[]])[] = ([
  ["sh"],
  ["dash"],
  ["bash", "--posix"],
  ["busybox", "sh"],
] as const).filter(([program]) => isOnPath(program));

/** What a host with nothing but busybox has; and bash, so that nothing is left untested. */
function busyboxPath(): string {
  const folder = Deno.makeTempDirSync({ prefix: "minime-test-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const text = (script: string) => {
    const { stdout } = new Deno.Command("sh", { args: ["-c", script] }).outputSync();
    return new TextDecoder().decode(stdout).trim();
  };
  const busybox = text("command -v busybox");
  for (const applet of new Set(["busybox", ...text("busybox --list").split("\n")])) {
    Deno.symlinkSync(busybox, `${folder}/${applet}`);
  }
  Deno.symlinkSync(text("command -v bash"), `${folder}/bash`);
  return folder;
}
const BUSYBOX_PATH = SHELLS.some(([program]) => program === "busybox") ? busyboxPath() : "";

/** As `uname -m` says it. */
export const ARCHITECTURE = Deno.build.arch;
/** For what the script answers at once. */
export const WITHIN = { ms: 60_000, what: "the test waited in vain" };
const env = createRealEnvironment();

function isOnPath(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${program}`).isFile;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  });
}

/**
 * What the program below does: says its arguments, asks, reads, and fails or is up. Whoever is up goes
 * on, in a session of its own, with nothing of the login's in its hands.
 */
const DAEMON = `#!/bin/sh
for word; do echo "word $word"; done
echo "MINIME-CSR abc"
IFS= read -r line || { echo gone >"$HOME/gone"; exit 1; }
echo "read $line"
case $line in
*fail) echo "MINIME-FAIL x"; echo "why it failed" >&2; exit 4 ;;
*die) kill -KILL $$ ;;
esac
read -r _ _ _ _ _ session _ </proc/self/stat
[ "$session" = $$ ] || echo "no session of its own"
echo "MINIME-UP def"
while [ ! -e "$HOME/stop" ]; do sleep 0.05; done
echo over >"$HOME/over"
exit 0
`;

/** A program that stands for the binary. */
export class Program {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly facts: BinaryFacts;

  constructor(options: { padding?: number; architecture?: string } = {}) {
    // What cannot be compressed: it must fill disks.
    const noise = new Uint8Array(options.padding ?? 100_000);
    for (let i = 0; i < noise.length; i++) noise[i] = (i * i * 2_654_435_761 >>> 13) & 0xff;
    const head = new TextEncoder().encode(DAEMON);
    this.bytes = new Uint8Array([...head, ...noise]);
    this.facts = {
      hash: createHash("sha256").update(this.bytes).digest("hex"),
      bytes: this.bytes.length,
      architecture: options.architecture ?? ARCHITECTURE,
    };
  }

  get fileName(): string {
    return `minime-${this.facts.hash}`;
  }

  async packed(): Promise<Uint8Array<ArrayBuffer>> {
    const stream = new Blob([this.bytes]).stream().pipeThrough(new CompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }
}

/** One run of the script, as if sshd had started the shell. */
export class Visit implements AsyncDisposable {
  readonly facts = new ScriptFacts();
  readonly dialogue: SshDialogue;
  readonly process: LineProcess;

  private constructor(process: LineProcess) {
    this.process = process;
    const { signal } = new AbortController();
    this.dialogue = new SshDialogue(process, { clock: env.clock, signal });
  }

  static async start(
    shell: readonly string[],
    options: { home: string; program: Program; ownHome?: string; first?: string },
  ): Promise<Visit> {
    const [program, ...args] = options.first === undefined
      ? shell
      : ["unshare", "-m", "sh", "-c", `${options.first}; exec ${shell.join(" ")}`];
    const path = shell[0] === "busybox" ? BUSYBOX_PATH : Deno.env.get("PATH");
    const process = await LineProcess.start(env, {
      program: "env",
      args: ["-i", `PATH=${path}`, `HOME=${options.home}`, program ?? "", ...args],
    });
    const { ownHome } = options;
    await process.write(
      bootScript(options.program.facts, ownHome === undefined ? {} : { home: ownHome }),
    );
    return new Visit(process);
  }

  answer(): ReturnType<SshDialogue["answer"]> {
    return this.dialogue.answer(this.facts, WITHIN);
  }

  async put(bytes: Uint8Array, options: { announced?: number } = {}): Promise<string> {
    await this.dialogue.say(`PUT ${options.announced ?? bytes.length}`);
    await this.dialogue.send(bytes, WITHIN);
    return (await this.answer()).word;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dialogue[Symbol.asyncDispose]();
  }
}

/** A home for one test. */
export async function withHome(run: (home: string) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir({ prefix: "minime-test-" });
  try {
    await run(home);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

/** What lies in a folder, sorted. */
export function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}
