/** `minime init` as data: nodes as services of their machines. */

import { command, group, JSON_OUTPUT } from "../shared/command.ts";
import { flag, text } from "../shared/option.ts";

const MANAGER = {
  systemd: flag("For systemd; default: if it runs this machine"),
  sysv: flag("With an LSB init script; default: if systemd does not run this machine"),
  root: text("Work on the machine whose root is this folder, and start nothing", {
    placeholder: "FOLDER",
    completion: "files",
  }),
};
const DRY_RUN = flag("Only print what would be done");

/** Of `minime init install`. */
export const installOptions = {
  config: text("The mesh file; beside it lie the keys of this node, unless it has a token", {
    placeholder: "FILE",
    completion: "files",
    default: "/etc/minime/mesh.toml",
  }),
  name: text("Which node this is; default: the one whose keys or token these are", {
    placeholder: "NAME",
  }),
  tokenFile: text(
    "Become a node by the token in this file, - is stdin, unless the keys are there",
    {
      placeholder: "FILE",
      completion: "files",
    },
  ),
  ...MANAGER,
  replace: flag("Also take the place of a newer program that is installed here"),
  enrol: flag("Take certificate and mesh file from stdin, as boot --install gives them"),
  dryRun: DRY_RUN,
};
/** Of `minime init uninstall`. */
export const uninstallOptions = {
  ...MANAGER,
  keepJobs: flag("Let background jobs of the node run on; default: they are ended"),
  dryRun: DRY_RUN,
};
/** Of `minime init status`. */
export const serviceStatusOptions = { ...MANAGER, ...JSON_OUTPUT };

/** Nodes as services. */
export const init = group({
  name: "init",
  brief: "Let the node of this machine come up with it",
  description: "Its keys come from minime mesh provision, or by a token: see minime token.",
  examples: [
    ["minime init install --config n1/mesh.toml", "installs, starts, and starts at every boot"],
    ["minime init status", "whether it runs"],
  ],
  commands: [
    command({
      name: "install",
      brief: "Install the node of this machine as a service, and start it",
      description:
        "Writes a systemd unit or an init script, copies the program to /usr/local/bin " +
        "unless it lies below /usr or /opt, and the folder of keys to /etc/minime/MESH unless it " +
        "lies below /etc. With a token it takes the mesh file alone: the keys are made there, and the " +
        "registrar signs them. Doing it again brings files up to date; a mesh file that you have " +
        "edited there is kept. On hosts that are reached by ssh, boot --install does it all.",
      examples: [
        ["minime init install --config n1/mesh.toml", "n1 is the folder that provision wrote"],
        [
          "minime init install --config mesh.toml --token-file n17.token",
          "see minime token create",
        ],
        ["minime init install --config n1/mesh.toml --dry-run", "print the files"],
        ["minime init install --config n1/mesh.toml --root /mnt --systemd", "into an image"],
      ],
      options: installOptions,
      load: () => import("./install_command.ts").then((m) => m.runInstall),
    }),
    command({
      name: "uninstall",
      brief: "Stop the node of this machine, and let it start no more",
      description:
        "Background jobs that run there are ended, unless they are to be kept. Keys and state stay; " +
        "the last line says how to remove them.",
      examples: [["minime init uninstall", "the only node that is installed here"]],
      options: uninstallOptions,
      load: () => import("./uninstall_command.ts").then((m) => m.runUninstall),
    }),
    command({
      name: "status",
      brief: "Show whether the node of this machine is installed, and how it is",
      examples: [["minime init status --json", "for programs"]],
      options: serviceStatusOptions,
      load: () => import("./service_status_command.ts").then((m) => m.runServiceStatus),
    }),
  ],
});
