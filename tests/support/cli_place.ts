/** A home of its own for the command line: meshes that it knows, and `minime` on a shell's PATH. */

import { type Binary, commandOf } from "../../tools/binary.ts";

export interface Place extends Disposable {
  readonly folder: string;
  readonly shellEnvironment: Record<string, string>;
  addMesh(name: string, bootedAt: number, nodes: readonly string[]): void;
  /** Puts `minime` on the shells' PATH. */
  addProgram(binary: Binary): void;
}

/** Removed when disposed of. */
export function makePlace(): Place {
  const folder = Deno.makeTempDirSync({ prefix: "minime-test-" });
  return {
    folder,
    shellEnvironment: {
      PATH: `${folder}/bin:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}`,
      HOME: folder,
      XDG_CONFIG_HOME: folder,
      DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache/deno`,
      TERM: "xterm",
      LC_ALL: "C.UTF-8",
    },
    addMesh(name, bootedAt, nodes) {
      const home = `${folder}/minime/${name}`;
      Deno.mkdirSync(home, { recursive: true, mode: 0o700 });
      const known = nodes.map((node) => (
        { name: node, keyId: "ab".repeat(32), endpoints: [], groups: ["io"], seen: 0 }
      ));
      const boot = { at: bootedAt, up: [], failed: [] };
      Deno.writeTextFileSync(`${home}/nodes.json`, JSON.stringify(known), { mode: 0o600 });
      Deno.writeTextFileSync(`${home}/boot.json`, JSON.stringify(boot), { mode: 0o600 });
    },
    addProgram(binary) {
      Deno.mkdirSync(`${folder}/bin`);
      const words = commandOf(binary).map((word) => `'${word}'`).join(" ");
      Deno.writeTextFileSync(`${folder}/bin/minime`, `#!/bin/sh\nexec ${words} "$@"\n`, {
        mode: 0o755,
      });
    },
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}
