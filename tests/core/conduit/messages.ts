/** Messages for the tests of conduits, and what is done with many of them. */

import type { Conduit } from "../../../core/conduit/conduit.ts";
import { KIND, type Message, PRIORITY } from "../../../core/wire/message.ts";

/** An item of stream 1, unless told otherwise. */
export function message(body: unknown, change: Partial<Message> = {}): Message {
  return {
    kind: KIND.item,
    priority: PRIORITY.normal,
    stream: 1,
    verb: "",
    deadlineMs: 0,
    signed: false,
    weight: 0,
    ...change,
    body,
  };
}

/** `length` bytes that tell where they belong. */
export function numbered(length: number, start = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (start + i * 7 + (i >>> 8)) & 0xff;
  return bytes;
}

/** Everything until the conduit ends, and how it ended. */
export async function takeAll(
  conduit: Conduit,
): Promise<{ readonly messages: Message[]; readonly error: unknown }> {
  const messages: Message[] = [];
  try {
    for await (const each of conduit) messages.push(each);
    return { messages, error: undefined };
  } catch (error) {
    return { messages, error };
  }
}

/** A reader that takes so many messages and leaves the conduit open. */
export class Taker {
  readonly #iterator: AsyncIterator<Message>;

  constructor(conduit: Conduit) {
    this.#iterator = conduit[Symbol.asyncIterator]();
  }

  async next(): Promise<Message> {
    const { done, value } = await this.#iterator.next();
    if (done) throw new Error("The conduit has ended");
    return value;
  }

  async take(count: number): Promise<Message[]> {
    const messages: Message[] = [];
    while (messages.length < count) messages.push(await this.next());
    return messages;
  }

  /** To the end; throws when it is a failure. */
  async rest(): Promise<Message[]> {
    const messages: Message[] = [];
    for (;;) {
      const { done, value } = await this.#iterator.next();
      if (done) return messages;
      messages.push(value);
    }
  }
}
