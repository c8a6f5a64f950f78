/** The commands of the files module, as data. */

import { command, JSON_OUTPUT, NODES } from "../shared/command.ts";
import { flag, timeLimit } from "../shared/option.ts";
import { unixUser } from "../shared/unix_user.ts";

/** Of `minime cp`. */
export const cpOptions = {
  ...NODES,
  ...JSON_OUTPUT,
  checksum: flag("Compare files by their hashes, not by size and time"),
  private: flag("Encrypt what goes to nodes as far as each of them; 16 nodes at once"),
  user: unixUser("As this unix user; default the one in your certificate"),
  connectTimeout: timeLimit("How long a node may take to begin; default 5s"),
  timeout: timeLimit("Give up a node whose disk or daemon does nothing for so long; default 2m"),
  recursive: flag("For the habit: folders are always copied with all that is in them", {
    letter: "r",
  }),
  preserve: flag("For the habit: modes and times are always kept", { letter: "p" }),
};

/** Files to and from any number of nodes. */
export const cp = command({
  name: "cp",
  brief: "Copy files to nodes, or from them",
  description:
    "NODESET:PATH is a place on nodes, PATH alone one here; with -w, -g or -a write :PATH. A path on a " +
    "node is absolute or below the home; a local file with a colon in its name is ./NAME.\n\n" +
    "To nodes: into a folder that is there, or under a new name, as cp does. Folders are copied with all " +
    "that is in them; modes, times and links are kept. A file takes its place when all of it is there and " +
    "its hash is right. What is the same already, by size and time, is not sent; what was interrupted " +
    "goes on where it ended when you run the same command again.\n\n" +
    "From nodes: into a folder of each node's name below the local one.\n\n" +
    "A copy to many nodes goes through the mesh as a tree, each byte once over each link: nodes that " +
    "carry it to others can read it, but not change it. With --private, and from nodes, it is encrypted as " +
    "far as each node.\n\n" +
    "Exit code: 0 all nodes have all of it, 1 some do not, 3 none does; if it went nowhere: 4 " +
    "unreachable, 5 refused, 124 not begun, or nothing done, in time.",
  examples: [
    ["minime cp hosts 'n[1-64]:/etc/'", "a file to 64 nodes"],
    ["minime cp -g compute app conf.d :/opt/app/", "a folder and a file to the nodes of a group"],
    ["minime cp 'n[1-4]:/var/log/syslog' logs/", "to logs/n1/syslog, logs/n2/syslog, …"],
    ["minime cp --private secret.key n3:", "into the home there; relays see nothing of it"],
  ],
  options: cpOptions,
  args: {
    placeholder: "PATH",
    brief: "What to copy, and last where to",
    minimum: 1,
    completion: "files",
  },
  load: () => import("./cp_command.ts").then((m) => m.runCp),
});

/** What a daemon starts to copy on behalf of a user. */
export const fileAgent = command({
  name: "__files",
  hidden: true,
  brief: "Copy files for a daemon, by what it says on stdin",
  examples: [["minime __files", "started by daemons"]],
  options: {},
  load: () => import("./agent_command.ts").then((m) => m.runFileAgent),
});
