/**
 * The least that a mesh on this runtime can take: programs that know nothing of names, keys or policies,
 * start `true` for each byte that comes through their socket, and answer with its exit code; and one
 * that asks them all and ends.
 *
 *     bare.ts serve SOCKET      bare.ts ask SOCKET...
 */

const [role, ...paths] = Deno.args;
if (role === "serve") await serve(paths[0] ?? "");
else {
  const codes = await Promise.all(paths.map(ask));
  Deno.exit(codes.every((code) => code === 0) ? 0 : 1);
}

async function serve(path: string): Promise<void> {
  for await (const conn of Deno.listen({ transport: "unix", path })) void answer(conn);
}

async function answer(conn: Deno.Conn): Promise<void> {
  using _ = conn;
  const byte = new Uint8Array(1);
  while (await conn.read(byte) !== null) {
    const { code } = await new Deno.Command("true", {
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    await conn.write(Uint8Array.of(code));
  }
}

async function ask(path: string): Promise<number | undefined> {
  const conn = await Deno.connect({ transport: "unix", path });
  const byte = Uint8Array.of(1);
  await conn.write(byte);
  return await conn.read(byte) === null ? undefined : byte[0];
}
