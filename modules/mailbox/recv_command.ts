/**
 * `minime recv`: takes messages out of a mailbox, one after the other. The next one is asked for when
 * the last one was written, so that ^C loses nothing that nobody has seen.
 */

import * as v from "valibot";
import { type Call, CallError, UsageError } from "../../core/mod.ts";
import type { CommandContext, MeshClient, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { EXIT } from "../shared/exit_code.ts";
import type { recvOptions } from "./commands.ts";
import { type Head, HeadSchema, isSenderPattern, type Take } from "./letter.ts";
import { checkTag } from "./send_command.ts";

type RecvOptions = OptionsOf<typeof recvOptions>;

/** Exit code: see the command's description. */
export async function runRecv(
  context: CommandContext,
  options: RecvOptions,
  [tag = ""]: readonly string[],
): Promise<number> {
  const { out } = context;
  checkTag(tag);
  if (options.follow && options.count !== undefined) {
    throw new UsageError("--follow goes on for ever: it takes no --count");
  }
  if (options.from !== undefined && !isSenderPattern(options.from)) {
    throw new UsageError(`"${options.from}" is no name of a node or user`, {
      hint: "Write NAME, node:NAME or user:NAME",
    });
  }
  const wanted = options.follow ? Infinity : options.count ?? 1;
  await using client = await reach(context, options.node);
  const take: Take = {
    tag,
    ...(options.from === undefined ? {} : { from: options.from }),
    ...(options.timeout === undefined ? {} : { waitMs: options.timeout }),
  };
  const call = await begin(context, client, take);
  const letters = new Letters(call);
  let received = 0;
  while (received < wanted) {
    const head = await letters.next();
    if (head === undefined) break;
    await (options.json ? writeJson : writePlain)(context, head, letters, {
      tag,
      node: client.via.name,
    });
    received++;
  }
  await call.end();
  await call.reply;
  if (received >= wanted) return EXIT.ok;
  const time = formatDuration(options.timeout ?? 0);
  out.warn(`No message came to mailbox "${tag}" of "${client.via.name}" within ${time}`);
  return EXIT.timedOut;
}

/** A connection that ends in the node whose mailbox it is. */
async function reach(context: CommandContext, node: string | undefined): Promise<MeshClient> {
  if (node !== undefined) return await context.session(node);
  const client = await context.connect();
  if (isOwn(client)) return client;
  const { name } = client.via;
  await client.close();
  context.out.note(`Receiving from the mailbox of "${name}"; another one: -w NODE`);
  return await context.session(name);
}

/** Whether it is the daemon of this machine, whose owner we are. */
function isOwn({ via }: MeshClient): boolean {
  return via.endpoint.startsWith("unix:");
}

async function begin({ signal }: CommandContext, client: MeshClient, take: Take): Promise<Call> {
  const options = { deadlineMs: 0, signal };
  if (isOwn(client)) return client.stream("mailbox.receive", take, options);
  const signed = await client.sign("mailbox.take", take, { targets: [client.via.name] });
  return client.stream("mailbox.take", signed, { ...options, signed: true });
}

async function writePlain(
  { out }: CommandContext,
  head: Head,
  letters: Letters,
): Promise<void> {
  for await (const chunk of letters.bytes(head)) {
    out.write(chunk);
    await out.ready();
  }
  await out.ready();
}

async function writeJson(
  { out }: CommandContext,
  head: Head,
  letters: Letters,
  facts: { readonly tag: string; readonly node: string },
): Promise<void> {
  const data = new Uint8Array(head.bytes);
  let at = 0;
  for await (const chunk of letters.bytes(head)) {
    data.set(chunk, at);
    at += chunk.length;
  }
  out.json({ ...facts, ...head, data });
  await out.ready();
}

/** What the call streams: a head, as many bytes as it says, the next head. */
class Letters {
  readonly #call: Call;
  readonly #items: AsyncIterator<unknown>;

  constructor(call: Call) {
    this.#call = call;
    this.#items = call[Symbol.asyncIterator]();
  }

  /** Asks for one more; undefined when none came in time. Its bytes must be read before the next. */
  async next(): Promise<Head | undefined> {
    await this.#call.send(null).catch((error: unknown) => {
      // The iterator says better why the call is over.
      if (!(error instanceof CallError)) throw error;
    });
    const { done, value } = await this.#items.next();
    if (done) return undefined;
    const parsed = v.safeParse(HeadSchema, value, { abortEarly: true });
    if (parsed.success) return parsed.output;
    throw new CallError("failed", `Head of a message is malformed: ${parsed.issues[0].message}`);
  }

  async *bytes(head: Head): AsyncGenerator<Uint8Array, void, void> {
    for (let left = head.bytes; left > 0;) {
      const { done, value } = await this.#items.next();
      if (done || !(value instanceof Uint8Array) || value.length > left) {
        throw new CallError("failed", "Message is not as long as its head says");
      }
      left -= value.length;
      yield value;
    }
  }
}
