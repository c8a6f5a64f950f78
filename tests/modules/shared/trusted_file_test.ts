import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { UsageError } from "../../../core/mod.ts";
import { requireTrusted } from "../../../modules/shared/trusted_file.ts";

const env = createRealEnvironment();

/** Below /tmp, which everybody may write to, but nobody may take from others. */
async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "minime-test-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function refused(path: string, text: RegExp, remedy: RegExp): Promise<void> {
  await assert.rejects(requireTrusted(env, path), (error: unknown) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, text);
    assert.match(error.message, remedy);
    return true;
  });
}

Deno.test("trusted file: what only its owner can change is fine, and what is not there too", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    for (const mode of [0o600, 0o644, 0o755]) {
      await Deno.chmod(`${folder}/file`, mode);
      await requireTrusted(env, `${folder}/file`);
    }
    await requireTrusted(env, `${folder}/nothing`);
    // Their links are open to everybody, which means nothing.
    await Deno.symlink(`${folder}/file`, `${folder}/link`);
    await requireTrusted(env, `${folder}/link`);
  }));

Deno.test("trusted file: others that could change it, or a folder on the way, are named", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/a/b`, { recursive: true });
    const file = `${folder}/a/b/file`;
    await Deno.writeTextFile(file, "");
    await Deno.symlink(file, `${folder}/link`);
    await Deno.chmod(file, 0o664);
    await refused(
      file,
      /^".*b\/file" can be changed by others \(mode 0664\)/,
      /chmod go-w .*b\/file$/,
    );
    await Deno.chmod(file, 0o644);
    await Deno.chmod(`${folder}/a`, 0o777);
    await refused(
      `${folder}/link`,
      /^".*\/a" can be changed by others \(mode 0777\)/,
      /go-w .*\/a$/,
    );
    await Deno.chmod(`${folder}/a`, 0o1777);
    await requireTrusted(env, `${folder}/link`);
    // Who can turn the link to somewhere else decides as well.
    await Deno.mkdir(`${folder}/c`);
    await Deno.symlink(file, `${folder}/c/link`);
    await Deno.chmod(`${folder}/c`, 0o775);
    await refused(`${folder}/c/link`, /\/c" can be changed by others/, /go-w .*\/c$/);
    if (Deno.uid() !== 0) return;
    await Deno.chown(file, 65_534, 65_534);
    await refused(file, /b\/file" belongs to user 65534, who could change/, /chown 0 .*b\/file$/);
    await Deno.chown(file, 0, 0);
    // In a folder like /tmp it stays what its owner makes of it.
    await new Deno.Command("chown", { args: ["-h", "65534", `${folder}/link`] }).output();
    await refused(`${folder}/link`, /link" belongs to user 65534/, /chown -h 0 .*link$/);
  }));
