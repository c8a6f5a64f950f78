/**
 * What a machine must offer for system tests, and the door by which these tests register.
 * A machine that lacks something skips them and says why; with MINIME_TEST_NO_SKIP=1 (CI) they fail.
 */

import { TOOLS_PATH } from "./process.ts";

const TOOLS = [
  "bash",
  "ip",
  "mount",
  "nsenter",
  "setpriv",
  "ssh",
  "ssh-keygen",
  "sshd",
  "tc",
  "unshare",
];

/** What this machine lacks, in words; empty when system tests can run. */
export function requirements(): string[] {
  const missing: string[] = [];
  if (Deno.build.os !== "linux") return ["Linux"];
  if (Deno.uid() !== 0) missing.push("root");
  missing.push(...TOOLS.filter((tool) => !onPath(tool)).map((tool) => `the program '${tool}'`));
  if (missing.length === 0 && !canUnshare()) missing.push("the right to make namespaces");
  return missing;
}

/** Registers a test that needs a rig, and nothing that `more` says is missing. */
export function systemTest(
  name: string,
  run: (test: Deno.TestContext) => Promise<void>,
  more: () => string[] = () => [],
): void {
  const missing = requirements();
  if (missing.length === 0) missing.push(...more());
  if (missing.length === 0) {
    Deno.test(name, run);
    return;
  }
  const reason = `this machine lacks ${missing.join(", ")}`;
  if (Deno.env.get("MINIME_TEST_NO_SKIP") === "1") {
    Deno.test(name, () => {
      throw new Error(`Cannot run a system test: ${reason}`);
    });
    return;
  }
  Deno.stderr.writeSync(new TextEncoder().encode(`Skipping '${name}': ${reason}\n`));
  Deno.test({ name, ignore: true, fn: run });
}

function onPath(tool: string): boolean {
  return TOOLS_PATH.split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${tool}`).isFile;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  });
}

/** Root in a container may lack it; then `mount` fails too, so both are tried. */
function canUnshare(): boolean {
  const { success } = new Deno.Command("unshare", {
    args: [
      ...["--net", "--uts", "--mount", "--pid", "--fork"],
      ...["mount", "-t", "proc", "proc", "/proc"],
    ],
    env: { PATH: TOOLS_PATH },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).outputSync();
  return success;
}
