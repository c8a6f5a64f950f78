/** Runs a command against daemons of a test, as the user alice who comes over tcp. */

import { createRealEnvironment } from "../../../core/environment/real.ts";
import { Calls, TcpFront } from "../../../core/mod.ts";
import { createContext } from "../../../modules/cli/context.ts";
import { exitCodeFor, failureText } from "../../../modules/cli/failure.ts";
import { StreamOutput } from "../../../modules/cli/output.ts";
import type { CommandContext, MeshClient } from "../../../modules/shared/command.ts";
import { MemoryTerminal } from "../cli/memory_terminal.ts";
import type { TestMesh } from "./daemons.ts";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `via`: the daemon that the client reaches. */
export async function runCommand(
  mesh: TestMesh,
  run: (context: CommandContext) => Promise<number | void>,
  options: { readonly via?: string; readonly signal?: AbortSignal } = {},
): Promise<Ran> {
  const { via = "n1", signal = new AbortController().signal } = options;
  const terminal = new MemoryTerminal();
  const out = new StreamOutput(terminal, { plain: true, onBroken: () => {} });
  const context = createContext({
    env: createRealEnvironment(),
    out,
    terminal,
    signal,
    takeHangUp: () => ({ [Symbol.dispose]: () => {} }),
    meshName: "test",
    connect: () => connect(mesh, via),
  });
  let code: number;
  try {
    code = await run(context) ?? 0;
  } catch (error) {
    code = exitCodeFor(error);
    out.writeError(`${failureText(error, { debug: false })}\n`);
  }
  await out.finish();
  return { code, stdout: terminal.stdout, stderr: terminal.stderr };
}

async function connect(mesh: TestMesh, name: string): Promise<MeshClient> {
  const { keys, user } = mesh;
  const { clock, random, network } = createRealEnvironment();
  const front = new TcpFront({
    network,
    context: () => ({
      clock,
      random,
      primitives: keys.primitives,
      trust: keys.trust(),
      self: user,
    }),
    log: () => {},
  });
  const [endpoint = ""] = mesh.get(name).daemon.endpoints();
  const conduit = await front.dial(endpoint, { expect: { name } });
  const calls = new Calls({ conduit, clock, dialled: true });
  const close = () => calls.close("done");
  return {
    meshName: "test",
    via: { name, endpoint },
    request: (verb, args, options) => calls.request(verb, args, options),
    stream: (verb, args, options) => calls.stream(verb, args, options),
    sign: (verb, args, { targets }) =>
      Promise.resolve(
        keys.sign(user, { verb, args, targets: { kind: "names", names: targets } }),
      ),
    close,
    [Symbol.asyncDispose]: close,
  };
}
