/** `minime send`: stdin becomes one message in the mailbox of a node. */

import { CallError, isName, MinimeError, toHex, UsageError } from "../../core/mod.ts";
import type { CommandContext, MeshClient, OptionsOf } from "../shared/command.ts";
import { EXIT } from "../shared/exit_code.ts";
import { reachMesh } from "../shared/mesh_query.ts";
import { selectSeen } from "../shared/missing_nodes.ts";
import type { sendOptions } from "./commands.ts";
import type { Put, PutReply } from "./letter.ts";
import { LETTER_BYTES_MAX, PUT_MS_MAX } from "./limits.ts";
import { deliverByGroup, fullText, parsePutReply, sendLetter } from "./sending.ts";

const ID_BYTES = 16;

/** Exit code: see the command's description. */
export async function runSend(
  context: CommandContext,
  options: OptionsOf<typeof sendOptions>,
  [node = "", tag = ""]: readonly string[],
): Promise<number> {
  const { env, out, stdin, signal } = context;
  checkTag(tag);
  await using way = options.class === "high"
    ? await bySession(context, node)
    : await byLinks(context, node);
  if (stdin.isTerminal) out.note(`Type the message for "${node}", end it with ^D`);
  const body = await readBody(stdin.bytes);
  const { kept, full } = await sendLetter({
    tag,
    id: toHex(env.random.bytes(ID_BYTES)),
    body,
    waitMs: options.wait ? options.timeout : 0,
    clock: env.clock,
    signal,
    deliver: async (part) => {
      if (part.waitMs > 0) out.progress(`Waiting for room in mailbox "${tag}" of "${node}"`);
      try {
        return await way.deliver(part);
      } finally {
        out.progress(undefined);
      }
    },
  });
  if (kept || full === null) return EXIT.ok;
  const text = `Message was not sent: ${fullText(full, { node, tag })}`;
  if (!options.wait) throw new CallError("busy", text);
  out.warn(text);
  return EXIT.timedOut;
}

/** @throws UsageError */
export function checkTag(tag: string): void {
  if (isName(tag)) return;
  throw new UsageError(`"${tag}" is no tag: a-z, 0-9, and inside also . _ -, at most 63 of them`);
}

interface Way extends AsyncDisposable {
  deliver(part: Put): Promise<PutReply>;
}

async function byLinks(context: CommandContext, node: string): Promise<Way> {
  const { signal } = context;
  const { client, view } = await reachMesh(context);
  try {
    const selection = { named: true, names: () => [node] };
    await selectSeen(context, client, { nodes: view.nodes, selection });
  } catch (error) {
    await client.close();
    throw error;
  }
  return {
    async deliver(part) {
      const signed = await sign(client, node, part);
      return await deliverByGroup(client, { node, signed, waitMs: part.waitMs, signal });
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function bySession(context: CommandContext, node: string): Promise<Way> {
  const { signal } = context;
  const session = await context.session(node);
  return {
    async deliver(part) {
      const signed = await sign(session, node, part);
      const deadlineMs = part.waitMs + PUT_MS_MAX;
      return parsePutReply(
        await session.request("mailbox.put", signed, { signed: true, deadlineMs, signal }),
      );
    },
    [Symbol.asyncDispose]: () => session.close(),
  };
}

function sign(client: MeshClient, node: string, part: Put): Promise<Uint8Array> {
  return client.sign("mailbox.put", part, { targets: [node] });
}

/** @throws MinimeError when it is more than a mailbox holds; the rest is not read */
async function readBody(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > LETTER_BYTES_MAX) {
      throw new MinimeError(
        `Stdin has more than ${LETTER_BYTES_MAX} bytes, the most that one message holds: ` +
          "send it in pieces (split), or open a connection (minime forward)",
      );
    }
    parts.push(chunk);
  }
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
}
