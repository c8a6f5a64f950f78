/** Run by real_test.ts: accepts while the process has no file descriptor left, then with one. */
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { setSoftLimit } from "./soft_limit.ts";

const SOFT_LIMIT = 64;

const { network, clock } = createRealEnvironment();
const listener = await network.listen({ transport: "tcp", host: "127.0.0.1", port: 0 });
await setSoftLimit(SOFT_LIMIT);
const dialing = network.dial(listener.address);
const dialer = await dialing;

const files: Deno.FsFile[] = [];
for (let full = false; !full;) {
  try {
    files.push(Deno.openSync("/dev/null"));
  } catch (error) {
    if (!(error instanceof Error && /Too many open files/.test(error.message))) throw error;
    full = true;
  }
}
let accepted = false;
const accepting = listener.accept().then((pipe) => {
  accepted = true;
  return pipe;
});
await clock.sleep(120);
say(`without descriptors: ${accepted ? "accepts" : "waits"}`);
for (const file of files) file.close();
const pipe = await accepting;
say("with descriptors: accepts");
for (const each of [pipe, dialer, listener]) each.close();

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
