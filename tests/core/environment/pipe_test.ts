/** What every byte pipe does, in both environments and over every transport. */
import assert from "node:assert/strict";
import type { BytePipe } from "../../../core/environment/environment.ts";
import { ConnectionError } from "../../../core/errors.ts";
import { connected, LISTENERS, type Stage, STAGES } from "./stages.ts";

/** More than kernels buffer for one connection. */
const TOO_MUCH_BYTES = 32 * 1024 * 1024;

for (const [name, play] of STAGES) {
  for (const [transport, address] of LISTENERS) {
    const test = (text: string, scenario: (stage: Stage, pipes: Pipes) => Promise<void>) =>
      Deno.test(`${name} ${transport} pipe: ${text}`, () =>
        play(async (stage) => {
          const pipes = await connected(stage, address(stage));
          try {
            await scenario(stage, pipes);
          } finally {
            pipes.dialer.close();
            pipes.accepted.close();
          }
        }));

    test("carries bytes in order, both ways at once", async (_, { dialer, accepted }) => {
      const there = numbered(1_000_000, 1);
      const back = numbered(700_001, 7);
      const [gotThere, gotBack] = await Promise.all([
        readExactly(accepted, there.length),
        readExactly(dialer, back.length),
        writePieces(dialer, there, 12_345),
        writePieces(accepted, back, 99_999),
      ]);
      assert.deepEqual(gotThere, there);
      assert.deepEqual(gotBack, back);
    });

    test("gives what was written before the close, then null", async (_, pipes) => {
      await pipes.dialer.write(numbered(50_000, 3));
      pipes.dialer.close();
      assert.deepEqual(await readExactly(pipes.accepted, 50_000), numbered(50_000, 3));
      assert.equal(await pipes.accepted.read(new Uint8Array(10)), null);
      assert.equal(await pipes.accepted.read(new Uint8Array(10)), null);
    });

    test("reads no more than fits", async (_, { dialer, accepted }) => {
      await dialer.write(numbered(10, 5));
      const small = new Uint8Array(4);
      assert.equal(await accepted.read(small), 4);
      assert.deepEqual(small, numbered(10, 5).subarray(0, 4));
      assert.deepEqual(await readExactly(accepted, 6), numbered(10, 5).subarray(4));
    });

    test("takes an empty write", async (_, { dialer, accepted }) => {
      await dialer.write(new Uint8Array());
      await dialer.write(numbered(1, 1));
      assert.deepEqual(await readExactly(accepted, 1), numbered(1, 1));
    });

    test("lets the caller change the bytes once the write has resolved", async (_, pipes) => {
      const bytes = numbered(1_000, 1);
      await pipes.dialer.write(bytes);
      bytes.fill(0);
      assert.deepEqual(await readExactly(pipes.accepted, 1_000), numbered(1_000, 1));
    });

    test("holds a writer whose reader does not read", async ({ environment }, pipes) => {
      let taken = 0;
      const writing = (async () => {
        const piece = numbered(65_536, 9);
        for (; taken < TOO_MUCH_BYTES; taken += piece.length) await pipes.dialer.write(piece);
      })();
      await environment.clock.sleep(100);
      assert.ok(taken < TOO_MUCH_BYTES, `${taken} bytes were taken`);
      const got = await readExactly(pipes.accepted, TOO_MUCH_BYTES);
      await writing;
      assert.deepEqual(got.subarray(-65_536), numbered(65_536, 9));
    });

    test("ends a waiting read with null when it is closed here", async (_, { dialer }) => {
      const reading = dialer.read(new Uint8Array(10));
      dialer.close();
      assert.equal(await reading, null);
      assert.equal(await dialer.read(new Uint8Array(10)), null);
    });

    test("fails a waiting write when it is closed here", async ({ environment }, { dialer }) => {
      const writing = dialer.write(new Uint8Array(TOO_MUCH_BYTES));
      const failed = assert.rejects(writing, closedWrite(dialer));
      await environment.clock.sleep(20);
      dialer.close();
      await failed;
      await assert.rejects(dialer.write(numbered(1, 1)), closedWrite(dialer));
    });

    test("fails writes after the other end has closed", async ({ environment }, pipes) => {
      pipes.accepted.close();
      await assert.rejects(async () => {
        for (;;) {
          await pipes.dialer.write(numbered(1_000, 1));
          await environment.clock.sleep(1);
        }
      }, (error) => {
        assert.ok(error instanceof ConnectionError);
        assert.equal(error.reason, "reset");
        assert.equal(
          error.message,
          `Could not write to ${pipes.dialer.remote}: the other end closed the connection`,
        );
        return true;
      });
    });

    test("fails a waiting write when the other end closes", async ({ environment }, pipes) => {
      const failed = assert.rejects(
        pipes.dialer.write(new Uint8Array(TOO_MUCH_BYTES)),
        (error) => error instanceof ConnectionError && error.reason === "reset",
      );
      await environment.clock.sleep(20);
      pipes.accepted.close();
      await failed;
    });

    test("half closed, it is read to its end while the other way goes on", async (_, pipes) => {
      const { dialer, accepted } = pipes;
      await dialer.write(numbered(50_000, 3));
      await dialer.closeWrite();
      await dialer.closeWrite();
      assert.deepEqual(await readExactly(accepted, 50_000), numbered(50_000, 3));
      assert.equal(await accepted.read(new Uint8Array(10)), null);
      await assert.rejects(dialer.write(numbered(1, 1)), closedWrite(dialer));
      const back = numbered(300_000, 7);
      const [got] = await Promise.all([readExactly(dialer, back.length), accepted.write(back)]);
      assert.deepEqual(got, back);
      await accepted.closeWrite();
      assert.equal(await dialer.read(new Uint8Array(10)), null);
      assert.equal(await dialer.read(new Uint8Array(10)), null);
    });

    test("half closed while the other end waits to read, it ends that read", async (_, pipes) => {
      const reading = pipes.accepted.read(new Uint8Array(10));
      await pipes.dialer.closeWrite();
      assert.equal(await reading, null);
    });

    test("closed here, it takes a half close and does nothing", async (_, { dialer }) => {
      dialer.close();
      await dialer.closeWrite();
      assert.equal(await dialer.read(new Uint8Array(10)), null);
    });

    test("reset, it ends reads and writes of the other end with an error, or as a close", async (
      { environment },
      { dialer, accepted },
    ) => {
      const reading = dialer.read(new Uint8Array(10));
      await accepted.write(numbered(10, 3));
      assert.equal(await reading, 10);
      const own = accepted.read(new Uint8Array(10));
      accepted.reset();
      accepted.reset();
      assert.equal(await own, null);
      await assert.rejects(accepted.write(numbered(1, 1)), closedWrite(accepted));
      const isReset = (error: unknown) =>
        error instanceof ConnectionError && error.reason === "reset";
      if (name === "real" && transport === "unix") {
        assert.equal(await dialer.read(new Uint8Array(10)), null);
      } else await assert.rejects(dialer.read(new Uint8Array(10)), isReset);
      await assert.rejects(async () => {
        for (;;) {
          await dialer.write(numbered(1_000, 1));
          await environment.clock.sleep(1);
        }
      }, isReset);
    });

    test("reset, it fails a write that waits at the other end", async ({ environment }, pipes) => {
      const failed = assert.rejects(
        pipes.dialer.write(new Uint8Array(TOO_MUCH_BYTES)),
        (error) => error instanceof ConnectionError && error.reason === "reset",
      );
      await environment.clock.sleep(20);
      pipes.accepted.reset();
      await failed;
    });

    test("names both ends alike on both sides", (_, { dialer, accepted }) => {
      assert.equal(dialer.remote, accepted.local);
      assert.equal(dialer.local, accepted.remote);
      const pattern = transport === "unix"
        ? /^unix:\/.*socket$/
        : transport === "tcp"
        ? /^127\.0\.0\.1:\d+$/
        : /^\[::1\]:\d+$/;
      assert.match(dialer.remote, pattern);
      return Promise.resolve();
    });
  }
}

interface Pipes {
  readonly dialer: BytePipe;
  readonly accepted: BytePipe;
}

function closedWrite(pipe: BytePipe): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ConnectionError);
    assert.equal(error.reason, "closed");
    assert.equal(error.message, `Could not write to ${pipe.remote}: it was closed here`);
    return true;
  };
}

/** Bytes that differ from their neighbours and from those at other places. */
function numbered(length: number, step: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i * step + (i >> 8);
  return bytes;
}

async function writePieces(pipe: BytePipe, bytes: Uint8Array, size: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += size) await pipe.write(bytes.subarray(at, at + size));
}

async function readExactly(pipe: BytePipe, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await pipe.read(bytes.subarray(at));
    if (count === null) throw new Error(`The pipe ended after ${at} of ${length} bytes`);
    at += count;
  }
  return bytes;
}
