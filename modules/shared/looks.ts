/**
 * Looking at the mesh once, or with `--watch` again and again: the loop that commands share. When
 * the daemon that we talk to is gone, another one is asked; while none can be reached the last picture
 * stays, with a line that says so.
 */

import { CallError, ConnectionError, errorText } from "../../core/mod.ts";
import type { CommandContext, MeshClient } from "./command.ts";
import { duration, flag, type Options } from "./option.ts";

const CLEAR_SCREEN = "\x1b[H\x1b[2J";

/** For a command that can look again and again; see {@link lookAtMesh}. */
export const WATCH = {
  watch: flag("Look again and again until ^C"),
  interval: duration("Between two looks of --watch", { letter: "n", default: "2s" }),
} as const satisfies Options;

export interface Looks<T> {
  readonly watch: boolean;
  /** Milliseconds between two looks. */
  readonly interval: number;
  /** Draws over the last picture where stdout is a terminal. @default true */
  readonly redraw?: boolean;
  /** @default CommandContext.connect */
  readonly connect?: () => Promise<MeshClient>;
  readonly look: (client: MeshClient) => Promise<T>;
  readonly show: (seen: T, client: MeshClient) => void;
}

/** Resolves with what was seen last; with `watch` it goes on until the command's signal aborts. */
export async function lookAtMesh<T>(context: CommandContext, looks: Looks<T>): Promise<T> {
  const { env, out, signal } = context;
  const { watch, interval, redraw = true, connect = () => context.connect() } = looks;
  let client = await connect();
  try {
    for (;;) {
      try {
        const seen = await looks.look(client);
        if (watch && redraw && context.isTerminal) out.write(CLEAR_SCREEN);
        looks.show(seen, client);
        if (!watch) return seen;
      } catch (error) {
        if (!watch || !isGone(error)) throw error;
        await client.close();
        await env.clock.sleep(interval, { signal });
        client = await connectAgain(context, looks, connect);
        continue;
      }
      await env.clock.sleep(interval, { signal });
    }
  } finally {
    await client.close();
  }
}

async function connectAgain(
  { env, out, signal }: CommandContext,
  { interval }: Pick<Looks<unknown>, "interval">,
  connect: () => Promise<MeshClient>,
): Promise<MeshClient> {
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      signal.throwIfAborted();
      if (!isGone(error)) throw error;
      out.note(errorText(error));
      await env.clock.sleep(interval, { signal });
    }
  }
}

/** Whether the connection is to blame, so that another one may help. */
export function isGone(error: unknown): boolean {
  return error instanceof ConnectionError ||
    error instanceof CallError && error.class === "unreachable";
}
