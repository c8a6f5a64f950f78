/** Lets go of what it has inherited, and says how many are still open of the file that is named. */

import { createRealEnvironment } from "../../../core/environment/real.ts";

const [file = ""] = Deno.args;
const folder = "/proc/self/fd";
createRealEnvironment().processes.closeInherited();
const ours = [...Deno.readDirSync(folder)].filter(({ name }) => {
  try {
    return Deno.readLinkSync(`${folder}/${name}`) === file;
  } catch (error) {
    // Closed since, as the one by which the list was read.
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
});
const list = await new Deno.Command("/bin/ls", { args: ["-l", folder] }).output();
const theirs = new TextDecoder().decode(list.stdout).split("\n").filter((line) =>
  line.endsWith(file)
);
Deno.stdout.writeSync(new TextEncoder().encode(`${ours.length} ${theirs.length}\n`));
