/** A server of this machine to which connections are forwarded. */

import { createRealEnvironment } from "../../../core/environment/real.ts";
import type { BytePipe, PipeListener } from "../../../core/mod.ts";

const { network } = createRealEnvironment();
export const LOOPBACK = { transport: "tcp", host: "127.0.0.1", port: 0 } as const;

/** It is asked to answer each connection. */
export async function serve(answer: (pipe: BytePipe) => Promise<void>): Promise<{
  port: number;
  accepted: () => number;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const listener: PipeListener = await network.listen(LOOPBACK);
  const pipes: BytePipe[] = [];
  const answering: Promise<void>[] = [];
  const loop = (async () => {
    for (;;) {
      const pipe = await listener.accept();
      pipes.push(pipe);
      answering.push(answer(pipe).catch(() => {}));
    }
  })().catch(() => {});
  return {
    port: portOf(listener),
    accepted: () => pipes.length,
    async [Symbol.asyncDispose]() {
      listener.close();
      await loop;
      for (const pipe of pipes) pipe.close();
      await Promise.all(answering);
    },
  };
}

export function portOf({ address }: PipeListener): number {
  return address.transport === "tcp" ? address.port : 0;
}

/** To its end. */
export async function readAll(pipe: BytePipe): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const into = new Uint8Array(65_536);
  for (;;) {
    const count = await pipe.read(into);
    if (count === null) return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
    chunks.push(into.slice(0, count));
  }
}

export async function write(pipe: BytePipe, text: string): Promise<void> {
  await pipe.write(new TextEncoder().encode(text));
}

/** Reads to the end, then answers: only a half close that arrives makes it speak. */
export async function answerAtEnd(pipe: BytePipe): Promise<void> {
  const bytes = await readAll(pipe);
  await write(pipe, `got ${bytes.length}: `);
  await pipe.write(bytes);
  await pipe.closeWrite();
}
