import assert from "node:assert/strict";
import { systemTest, until } from "../../system/rig/mod.ts";
import { ARCHITECTURE, names, Program, SHELLS, Visit, withHome, WITHIN } from "./script_visit.ts";

for (const shell of SHELLS) {
  const title = `boot script in ${shell[0]}`;

  Deno.test(`${title}: needs the file once, and never again`, () =>
    withHome(async (home) => {
      const program = new Program();
      const bin = `${home}/.cache/minime/bin`;
      {
        await using visit = await Visit.start(shell, { home, program });
        assert.equal((await visit.answer()).word, "NEED");
        assert.equal(visit.facts.get("arch"), ARCHITECTURE);
        assert.ok(Number(visit.facts.get("free")) > 0);
        await visit.dialogue.say("KEEP");
        assert.equal(await visit.put(await program.packed()), "HAVE");
        assert.deepEqual(names(bin), [program.fileName, `${program.fileName}.gz`]);
        assert.deepEqual(await Deno.readFile(`${bin}/${program.fileName}`), program.bytes);
      }
      await using visit = await Visit.start(shell, { home, program });
      assert.deepEqual(await visit.answer(), { word: "HAVE", path: `${bin}/${program.fileName}` });
      assert.equal(visit.facts.get("free"), undefined);
    }));

  Deno.test(`${title}: runs nothing from a folder in which others could have put it`, () =>
    withHome(async (home) => {
      const program = new Program();
      const bin = `${home}/.cache/minime/bin`;
      await Deno.mkdir(bin, { recursive: true, mode: 0o700 });
      const planted = new Uint8Array(program.bytes.length);
      await Deno.writeFile(`${bin}/${program.fileName}`, planted, { mode: 0o700 });
      for (const folder of [bin, `${home}/.cache/minime`]) {
        for (const mode of [0o770, 0o707]) {
          await Deno.chmod(folder, mode);
          await using visit = await Visit.start(shell, { home, program });
          await assert.rejects(visit.answer(), {
            reason: "denied",
            message:
              `permission denied: ${folder} belongs to another user or can be written by others`,
          });
        }
        await Deno.chmod(folder, 0o755);
      }
    }));

  Deno.test(`${title}: lets the program install itself, and leaves no other copy when it has`, () =>
    withHome(async (home) => {
      const program = new Program();
      const bin = `${home}/.cache/minime/bin`;
      // What stands for the program ends when it has said all.
      await Deno.writeTextFile(`${home}/stop`, "");
      for (const isFirst of [true, false]) {
        await using visit = await Visit.start(shell, { home, program });
        const { word } = await visit.answer();
        assert.equal(word, isFirst ? "NEED" : "HAVE");
        if (isFirst) assert.equal(await visit.put(await program.packed()), "HAVE");
        await visit.dialogue.install(["--mesh", "lab"]);
        for (const words of ["init", "install", "--enrol", "--mesh", "lab"]) {
          assert.equal(await visit.dialogue.next(), `word ${words}`);
        }
        assert.equal(await visit.dialogue.next(), "MINIME-CSR abc");
        await visit.dialogue.write(isFirst ? "MINIME-ADMIT fail\n" : "MINIME-ADMIT abc\n");
        while (await visit.dialogue.next() !== undefined);
        assert.equal((await visit.process.ended).code, isFirst ? 4 : 0);
        // The next try needs it, and what was there before is not ours to remove.
        assert.deepEqual(names(bin), [program.fileName]);
      }
      await Deno.remove(`${bin}/${program.fileName}`);
      await using visit = await Visit.start(shell, { home, program });
      await visit.answer();
      assert.equal(await visit.put(await program.packed()), "HAVE");
      await visit.dialogue.install([]);
      await visit.dialogue.write("MINIME-ADMIT abc\n");
      while (await visit.dialogue.next() !== undefined);
      assert.equal((await visit.process.ended).code, 0);
      assert.deepEqual(names(bin), []);
    }));

  /** The daemon has got words that no shell may touch, and waits for an answer. */
  const withDaemon = (run: (visit: Visit, home: string) => Promise<void>) =>
    withHome(async (home) => {
      const program = new Program();
      await using visit = await Visit.start(shell, { home, program });
      await visit.answer();
      assert.equal(await visit.put(await program.packed()), "HAVE");
      await visit.dialogue.run(["--listen", "tcp:[::]:0", `$(touch ${home}/evil) * "a  b'\\`]);
      const lines: (string | undefined)[] = [];
      for (let i = 0; i < 5; i++) lines.push(await visit.dialogue.next());
      assert.deepEqual(lines, [
        "word daemon",
        "word --listen",
        "word tcp:[::]:0",
        `word $(touch ${home}/evil) * "a  b'\\`,
        "MINIME-CSR abc",
      ]);
      await run(visit, home);
      assert.ok(!names(home).includes("evil"));
      assert.deepEqual(names(`${home}/.cache/minime/bin`), [program.fileName]);
    });

  Deno.test(`${title}: passes lines until the daemon is up, and lets it live`, () =>
    withDaemon(async (visit, home) => {
      await visit.dialogue.write("MINIME-ADMIT abc\n");
      assert.equal(await visit.dialogue.next(), "read MINIME-ADMIT abc");
      assert.equal(await visit.dialogue.next(), "MINIME-UP def");
      // The end of what it prints means that the daemon holds nothing of ours.
      assert.equal(await visit.dialogue.next(), undefined);
      assert.deepEqual(await visit.process.ended, { code: 0, signal: undefined, stderr: "" });
      await Deno.writeTextFile(`${home}/stop`, "");
      await until("it goes on by itself", () => names(home).includes("over"));
    }));

  Deno.test(`${title}: passes on why a daemon failed, and with which code`, async () => {
    await withDaemon(async (visit) => {
      await visit.dialogue.write("MINIME-ADMIT fail\n");
      assert.equal(await visit.dialogue.next(), "read MINIME-ADMIT fail");
      assert.equal(await visit.dialogue.next(), "MINIME-FAIL x");
      assert.equal(await visit.dialogue.next(), undefined);
      const end = { code: 4, signal: undefined, stderr: "why it failed\n" };
      assert.deepEqual(await visit.process.ended, end);
    });
    await withDaemon(async (visit) => {
      await visit.dialogue.write("MINIME-ADMIT die\n");
      while (await visit.dialogue.next() !== undefined);
      assert.equal((await visit.process.ended).code, 137);
    });
  });

  Deno.test(`${title}: a daemon whose origin goes away before it answers ends`, () =>
    withDaemon(async (visit, home) => {
      await visit.process.closeInput();
      await visit.process.ended;
      await until("it has noticed", () => names(home).includes("gone"));
    }));

  Deno.test(`${title}: what arrives damaged is refused and removed`, () =>
    withHome(async (home) => {
      const program = new Program();
      const packed = await program.packed();
      const flipped = packed.slice();
      flipped[packed.length >> 1]! ^= 0x10;
      const other = await new Program({ padding: 100_001 }).packed();
      for (const bytes of [flipped, packed.subarray(0, packed.length >> 1), other]) {
        await using visit = await Visit.start(shell, { home, program });
        assert.equal((await visit.answer()).word, "NEED");
        await visit.dialogue.say("KEEP");
        await assert.rejects(visit.put(bytes), {
          reason: "hash-mismatch",
          message: "hash mismatch: what arrived is not what was sent",
        });
        await visit.process.ended;
        assert.deepEqual(names(`${home}/.cache/minime/bin`), []);
      }
    }));

  Deno.test(`${title}: an origin that goes away in the middle leaves nothing behind`, () =>
    withHome(async (home) => {
      const program = new Program();
      const packed = await program.packed();
      const visit = await Visit.start(shell, { home, program });
      await visit.answer();
      await visit.dialogue.say(`PUT ${packed.length}`);
      await visit.dialogue.send(packed.subarray(0, 50_000), WITHIN);
      await visit.process.closeInput();
      await assert.rejects(visit.answer(), { reason: "hash-mismatch" });
      await visit[Symbol.asyncDispose]();
      assert.deepEqual(names(`${home}/.cache/minime/bin`), []);
    }));

  Deno.test(`${title}: finds a copy that somebody made by hand, by its content`, () =>
    withHome(async (home) => {
      const program = new Program();
      await Deno.writeFile(`${home}/minime`, new Program({ padding: 99_999 }).bytes, {
        mode: 0o755,
      });
      await Deno.mkdir(`${home}/bin`);
      const evil = program.bytes.slice();
      evil[5_000]! ^= 1; // The same size, another content.
      await Deno.writeFile(`${home}/bin/minime`, evil, { mode: 0o755 });
      {
        await using visit = await Visit.start(shell, { home, program });
        assert.equal((await visit.answer()).word, "NEED");
      }
      await Deno.mkdir(`${home}/.local/bin`, { recursive: true });
      await Deno.writeFile(`${home}/.local/bin/minime`, program.bytes, { mode: 0o755 });
      await using visit = await Visit.start(shell, { home, program });
      assert.deepEqual(await visit.answer(), { word: "HAVE", path: `${home}/.local/bin/minime` });
    }));

  Deno.test(`${title}: asks for another file on another CPU, and takes it`, () =>
    withHome(async (home) => {
      const foreign = new Program({ architecture: "vax" });
      const program = new Program();
      await using visit = await Visit.start(shell, { home, program: foreign });
      assert.equal((await visit.answer()).word, "CPU");
      const { hash, bytes, architecture } = program.facts;
      await visit.dialogue.say(`USE ${hash} ${bytes} ${architecture}`);
      assert.equal((await visit.answer()).word, "NEED");
      assert.equal(await visit.put(await program.packed()), "HAVE");
    }));

  Deno.test(`${title}: a home of its own holds the file, whatever is in its name`, () =>
    withHome(async (home) => {
      const program = new Program();
      const ownHome = `${home}/it's $HOME; rm`;
      for (const given of [ownHome, "below/my own"]) {
        await using visit = await Visit.start(shell, { home, program, ownHome: given });
        assert.equal((await visit.answer()).word, "NEED");
        assert.equal(await visit.put(await program.packed()), "HAVE");
        const folder = given.startsWith("/") ? given : `${home}/${given}`;
        assert.deepEqual(names(`${folder}/cache/minime/bin`), [program.fileName]);
      }
    }));

  Deno.test(`${title}: a source that is not there, or has something else, is no end`, () =>
    withHome(async (home) => {
      const program = new Program();
      await using visit = await Visit.start(shell, { home, program });
      assert.equal((await visit.answer()).word, "NEED");
      if (visit.facts.get("get") !== "yes") return; // Without bash nobody asks it to.
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      const given = [new TextEncoder().encode("no gzip at all"), await program.packed()];
      const tickets: string[] = [];
      const serving = (async () => {
        for (let accepted = 0; accepted < 4; accepted++) {
          using connection = await listener.accept();
          const buffer = new Uint8Array(64);
          const count = await connection.read(buffer);
          if (count === null) continue; // Only looks whether it gets through.
          tickets.push(new TextDecoder().decode(buffer.subarray(0, count)));
          const bytes = given[tickets.length - 1] as Uint8Array;
          for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
        }
      })();
      const ticket = "0123456789abcdef0123456789abcdef";
      await visit.dialogue.say(`GET 127.0.0.1 1 60 20\n${ticket}`);
      assert.deepEqual(await visit.answer(), {
        word: "AGAIN",
        text: "cannot reach 127.0.0.1 port 1",
      });
      await visit.dialogue.say(`GET 127.0.0.1 ${port} 60 20\n${ticket}`);
      assert.equal((await visit.answer()).word, "AGAIN");
      await visit.dialogue.say(`GET 127.0.0.1 ${port} 60 20\n${ticket}`);
      assert.equal((await visit.answer()).word, "HAVE");
      await serving;
      assert.deepEqual(tickets, [`${ticket}\n`, `${ticket}\n`]);
    }));

  systemTest(
    `${title}: a node that serves without end does not fill the disk`,
    () =>
      withHome(async (home) => {
        const program = new Program();
        const first = `mount -t tmpfs -o size=8m tmpfs ${home}`;
        await using visit = await Visit.start(shell, { home, program, first });
        assert.equal((await visit.answer()).word, "NEED");
        if (visit.facts.get("get") !== "yes") return;
        const bomb = new Blob([new Uint8Array(32 * 1024 * 1024)]).stream();
        const packed = new Uint8Array(
          await new Response(bomb.pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
        );
        using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
        const serving = (async () => {
          (await listener.accept()).close();
          using connection = await listener.accept();
          await connection.read(new Uint8Array(64));
          for (let at = 0; at < packed.length;) at += await connection.write(packed.subarray(at));
        })();
        await visit.dialogue.say(`GET 127.0.0.1 ${listener.addr.port} 60 20\n${"0".repeat(32)}`);
        // With a full disk this would be the end, and for a reason that is not true.
        assert.equal((await visit.answer()).word, "AGAIN");
        // It may have hung up on us in the middle.
        await serving.catch(() => {});
      }),
  );

  systemTest(
    `${title}: a disk that fills up in the middle is named, and left as it was`,
    () =>
      withHome(async (home) => {
        const program = new Program({ padding: 600_000 });
        const first = `mount -t tmpfs -o size=300k tmpfs ${home}`;
        await using visit = await Visit.start(shell, { home, program, first });
        assert.equal((await visit.answer()).word, "NEED");
        await assert.rejects(async () => await visit.put(await program.packed()), {
          reason: "no-space",
          message: /No space left on device/,
        });
      }),
  );

  systemTest(
    `${title}: a disk from which nothing may be run is named before any copy`,
    () =>
      withHome(async (home) => {
        const program = new Program();
        const first = `mount -t tmpfs -o noexec tmpfs ${home}`;
        await using visit = await Visit.start(shell, { home, program, first });
        await assert.rejects(visit.answer(), { reason: "noexec", message: /[Pp]ermission denied/ });
      }),
  );
}
