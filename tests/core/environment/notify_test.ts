import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { readLines } from "../../../modules/shared/lines.ts";

/** A service manager's socket, as a process that prints what it gets. */
const LISTENER = `
import socket, sys
path = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + path[1:] if path.startswith("@") else path)
print("bound", flush=True)
print(repr(s.recv(4096)), flush=True)
`;

async function tell(path: string): Promise<[boolean, string]> {
  const { processes } = createRealEnvironment();
  const listener = new Deno.Command("python3", {
    args: ["-c", LISTENER, path],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const lines = readLines(listener.stdout);
  assert.equal((await lines.next()).value, "bound");
  Deno.env.set("NOTIFY_SOCKET", path);
  const told = processes.notify("READY=1\nSTATUS=Links: 3");
  Deno.env.delete("NOTIFY_SOCKET");
  if (!told) listener.kill("SIGKILL");
  const heard = (await lines.next()).value ?? "";
  await lines.return(undefined);
  await listener.status;
  return [told, heard];
}

Deno.test("notify: the service manager hears it, by a path or an abstract name", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const path of [`${folder}/notify`, `@minime-test-${Deno.pid}`]) {
      assert.deepEqual(await tell(path), [true, "b'READY=1\\nSTATUS=Links: 3'"]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("notify: where no manager listens it says so, and nothing fails", () => {
  const { processes } = createRealEnvironment();
  assert.equal(processes.notify("READY=1"), false);
  for (const path of ["/nowhere/notify", "relative", `/${"long".repeat(40)}`]) {
    Deno.env.set("NOTIFY_SOCKET", path);
    assert.equal(processes.notify("READY=1"), false, path);
    Deno.env.delete("NOTIFY_SOCKET");
  }
});
