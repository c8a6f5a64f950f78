import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import type { Environment } from "../../../core/environment/environment.ts";
import { Binaries } from "../../../modules/network_boot/binary.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";

/** An ELF header that names a CPU, and some bytes. */
function elf(machine: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(300_000);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  new DataView(bytes.buffer).setUint16(18, machine, true);
  for (let i = 64; i < bytes.length; i++) bytes[i] = i % 251;
  return bytes;
}

const X86_64 = elf(62);
const AARCH64 = elf(183);

async function withFolder(
  run: (folder: string, env: Pick<Environment, "files" | "processes">) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "minime-test-" });
  const { files, processes } = createRealEnvironment();
  const variable = (name: string) =>
    name === "XDG_CACHE_HOME" ? `${folder}/cache` : processes.variable(name);
  const own = Object.assign(Object.create(processes), { variable }) as Environment["processes"];
  try {
    await run(folder, { files, processes: own });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("binary: knows its CPU and hash, and is packed once", () =>
  withFolder(async (folder, env) => {
    const primitives = await testPrimitives();
    await Deno.writeFile(`${folder}/minime`, X86_64);
    const { main } = await Binaries.open(env, primitives, `${folder}/minime`);
    const hash = createHash("sha256").update(X86_64).digest("hex");
    assert.deepEqual(main.facts, { hash, bytes: X86_64.length, architecture: "x86_64" });
    assert.deepEqual(new Uint8Array(gunzipSync(await main.packed())), X86_64);
    const cache = `${folder}/cache/minime/minime-${hash}.gz`;
    assert.equal((await Deno.stat(cache)).mode! & 0o777, 0o600);

    // The next boot takes what is there, unless it is damaged.
    const kept = await Deno.readFile(cache);
    const packedAgain = async () =>
      await (await Binaries.open(env, primitives, `${folder}/minime`)).main.packed();
    const before = (await Deno.stat(cache)).ino;
    assert.deepEqual(await packedAgain(), kept);
    assert.equal((await Deno.stat(cache)).ino, before);
    for (const damaged of [kept.subarray(0, 100), new Uint8Array(0), flipped(kept)]) {
      await Deno.writeFile(cache, damaged);
      assert.deepEqual(new Uint8Array(gunzipSync(await packedAgain())), X86_64);
    }
  }));

function flipped(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const other = bytes.slice();
  other[other.length >> 1]! ^= 4;
  return other;
}

Deno.test("binary: a cache that cannot be written costs nothing but time", () =>
  withFolder(async (folder, env) => {
    await Deno.writeFile(`${folder}/minime`, X86_64);
    await Deno.writeTextFile(`${folder}/cache`, "no folder");
    const { main } = await Binaries.open(env, await testPrimitives(), `${folder}/minime`);
    assert.deepEqual(new Uint8Array(gunzipSync(await main.packed())), X86_64);
  }));

Deno.test("binary: for another CPU the file beside it is taken, when it is for that CPU", () =>
  withFolder(async (folder, env) => {
    const primitives = await testPrimitives();
    await Deno.writeFile(`${folder}/minime`, X86_64);
    await Deno.writeFile(`${folder}/minime-aarch64`, X86_64); // Wrongly named.
    const open = () => Binaries.open(env, primitives, `${folder}/minime`);
    const binaries = await open();
    assert.equal(await binaries.forArchitecture("x86_64"), binaries.main);
    assert.equal(await binaries.forArchitecture("aarch64"), undefined);
    assert.equal(await binaries.forArchitecture("../minime"), undefined);
    await Deno.writeFile(`${folder}/minime-aarch64-unknown-linux-gnu`, AARCH64);
    const other = await (await open()).forArchitecture("aarch64");
    assert.equal(other?.path, `${folder}/minime-aarch64-unknown-linux-gnu`);
    assert.equal(other?.facts.architecture, "aarch64");
  }));

Deno.test("binary: what is no program, or not there, is told", () =>
  withFolder(async (folder, env) => {
    const primitives = await testPrimitives();
    await assert.rejects(Binaries.open(env, primitives, `${folder}/none`), {
      message: `There is no file "${folder}/none"`,
    });
    for (const bytes of [new TextEncoder().encode("#!/bin/sh\n"), elf(8), new Uint8Array(3)]) {
      await Deno.writeFile(`${folder}/x`, bytes);
      await assert.rejects(Binaries.open(env, primitives, `${folder}/x`), {
        message: `"${folder}/x" is no executable file for Linux on x86-64 or aarch64`,
      });
    }
  }));
