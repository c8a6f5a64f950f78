/** Options of commands that work on the hosts of a mesh file, as data; hosts_file.ts reads them. */

import { NODES } from "../shared/command.ts";
import { flag, text } from "../shared/option.ts";

/** Options of a command that works on the hosts of a file. */
export const HOSTS_FILE = {
  hosts: text("The mesh file; - reads it from stdin", { placeholder: "FILE", completion: "files" }),
  bhost: flag("The file is a boot schema of LAM: a host on each line"),
  nodes: NODES.nodes,
  exclude: NODES.exclude,
  group: NODES.group,
};
