/** The command of the upgrade module, as data. */

import { command, JSON_OUTPUT, NODES } from "../shared/command.ts";
import { text, whole } from "../shared/option.ts";

/** Of `minime upgrade`. */
export const upgradeOptions = {
  binary: text("The new program, a file for the CPU of these nodes", {
    placeholder: "FILE",
    completion: "files",
  }),
  ...NODES,
  fanout: whole("So many nodes at once", { minimum: 1, maximum: 1_024 }, {
    letter: "f",
    default: "1",
  }),
  ...JSON_OUTPUT,
};

export const upgrade = command({
  name: "upgrade",
  brief: "Let nodes go on as a new program, one after the other",
  description:
    "Without -w, -g or -a all nodes that are up. The file is copied to all of them first, " +
    "along the mesh, and each tries whether it runs and speaks a protocol that the mesh knows. Then " +
    "one node after the other goes on as the new program, with its key, its ports, its service and " +
    "its background jobs, and must be up in the mesh before the next one does. A program that does " +
    "not come up within a minute is taken back by the node itself, and the upgrade stops there. Doing " +
    "it again goes on where it stopped; the old program is kept beside the new one, so the same " +
    "command goes back.",
  examples: [
    ["minime upgrade --binary ./minime", "all nodes, one after the other"],
    ["minime upgrade --binary ./minime -w 'n[1-64]' -f 8", "eight at once"],
    ["minime upgrade --binary /usr/local/bin/minime.old -w n1", "back to the old one"],
  ],
  options: upgradeOptions,
  load: () => import("./upgrade_command.ts").then((m) => m.runUpgrade),
});
