/**
 * Runs every test. Those of simulation only compute, for minutes, and the others mostly wait: so they
 * run beside each other, the simulation with what the others leave of the processor. What it printed
 * comes after theirs. Types are what `deno task check` is for. With words on the command line it is
 * `deno test` of these.
 */

const SIMULATION = "tests/simulation/";
const COMMAND = [Deno.execPath(), "test", "-A", "--no-check"] as const;
/** The least that there is. */
const NICENESS = "19";

async function testOnly(words: readonly string[]): Promise<number> {
  const [program, ...args] = COMMAND;
  const { code } = await new Deno.Command(program, { args: [...args, ...words] }).spawn().status;
  return code;
}

async function testAll(): Promise<number> {
  const simulation = new Deno.Command("nice", {
    args: ["-n", NICENESS, ...COMMAND, SIMULATION],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const printed = Promise.all([simulation.stdout, simulation.stderr].map(textOf));
  const code = await testOnly([`--ignore=${SIMULATION}`, "tests/"]);
  const text = ["\nBeside them, the simulations:", ...await printed, ""].join("\n");
  await new Blob([text]).stream().pipeTo(Deno.stdout.writable, { preventClose: true });
  return code || (await simulation.status).code;
}

function textOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return new Response(stream).text();
}

Deno.exit(Deno.args.length > 0 ? await testOnly(Deno.args) : await testAll());
