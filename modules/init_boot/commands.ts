/** The commands of a mesh that comes up with its machines, as data: its keys and who gets some. */

import { command, group, JSON_OUTPUT } from "../shared/command.ts";
import { duration, flag, list, text, timeLimit, whole } from "../shared/option.ts";

const CONFIG = text("The mesh file; default: the one in the mesh's home", {
  placeholder: "FILE",
  completion: "files",
});
const OUT = text("Write into this folder, which is made when it is missing", {
  placeholder: "FOLDER",
  completion: "files",
});

/** Of `minime mesh init`. */
export const meshInitOptions = {
  config: text("The mesh file; left out, --mesh names the mesh", {
    placeholder: "FILE",
    completion: "files",
  }),
  ...JSON_OUTPUT,
};
/** Of `minime mesh provision`. */
export const provisionOptions = {
  config: CONFIG,
  out: OUT,
  valid: timeLimit("Life of the certificates, 90 days at most; registrars renew them for as long", {
    default: "90d",
  }),
  ...JSON_OUTPUT,
};
/** Of `minime mesh publish`. */
export const publishOptions = {
  config: text("Sign the policy of this mesh file", { placeholder: "FILE", completion: "files" }),
  ...JSON_OUTPUT,
};
/** Of `minime mesh show`. */
export const meshShowOptions = { ...JSON_OUTPUT };
/** Of `minime user add`. */
export const userAddOptions = {
  groups: list("Groups in the certificate; repeatable, commas separate several", {
    placeholder: "GROUP",
  }),
  unixUser: text("As whom their programs run; default: the same name", { placeholder: "NAME" }),
  valid: timeLimit("Life of the certificate, 30 days at most; it can be renewed for as long", {
    default: "30d",
  }),
  out: OUT,
  ...JSON_OUTPUT,
};

/** Keys of a mesh. */
export const mesh = group({
  name: "mesh",
  brief: "Make the keys of a mesh whose nodes start with their machines",
  description: "For hosts that are reached by ssh, boot makes the keys by itself.",
  examples: [
    ["minime mesh init --config mesh.toml", "root key, issuer, and you as first operator"],
    ["minime mesh provision 'n[1-16]' --out nodes", "one folder of keys for each node"],
  ],
  commands: [
    command({
      name: "init",
      brief: "Make root key, issuer and the first operator",
      description: "The keys lie in the mesh's home, below ~/.config/minime. The root key is the " +
        "mesh: keep a copy offline. Where it is taken away, the issuer stands in for it: it makes " +
        "nodes and users, but nobody in group ops.",
      examples: [
        ["minime mesh init --config mesh.toml", "the file names the mesh, its policy counts"],
        ["minime mesh init --mesh lab", "without a file"],
      ],
      options: meshInitOptions,
      load: () => import("./mesh_init_command.ts").then((m) => m.runMeshInit),
    }),
    command({
      name: "provision",
      brief: "Write a folder of keys for each node, ready to be copied to its machine",
      description: "Private keys are made here: whoever can read the folder is the node. Nodes " +
        "of group registrar get an issuer's key as well: they admit nodes that show a token.",
      examples: [
        ["minime mesh provision 'n[1-16]' --out nodes", "nodes/n1 to nodes/n16"],
        [
          "scp -rp nodes/n1 root@n1:/etc/minime",
          "then, there: minime daemon --config " +
          "/etc/minime/mesh.toml",
        ],
      ],
      options: provisionOptions,
      args: {
        placeholder: "NODESET",
        brief: "Hosts of the mesh file",
        minimum: 1,
        completion: "nodes",
      },
      load: () => import("./provision_command.ts").then((m) => m.runProvision),
    }),
    command({
      name: "publish",
      brief: "Bring policy, revocation list and PSK of this home to all nodes of the mesh",
      description: "With --config the policy of that file is signed first, which takes the root " +
        "key. Nodes that are not up get it from their neighbours when they are.",
      examples: [[
        "minime mesh publish --config mesh.toml",
        "the file's policy counts from now on",
      ]],
      options: publishOptions,
      load: () => import("./publish_command.ts").then((m) => m.runPublish),
    }),
    command({
      name: "show",
      brief: "Show what the home of a mesh holds",
      examples: [["minime mesh show", "id, keys, certificates and until when they are valid"]],
      options: meshShowOptions,
      load: () => import("./mesh_show_command.ts").then((m) => m.runMeshShow),
    }),
  ],
});

/** People of a mesh. */
export const user = group({
  name: "user",
  brief: "Give people certificates of a mesh",
  examples: [["minime user add alice --groups users --out alice", "her home of the mesh"]],
  commands: [
    command({
      name: "add",
      brief: "Write the home of a mesh for somebody else, with a certificate of their own",
      description:
        "The folder holds a private key: give it to nobody but its owner, who keeps it " +
        "as ~/.config/minime/MESH. What the groups may do, the policy says. Whether a key was " +
        'revoked counts more than its certificate: see "minime mesh show".',
      examples: [
        ["minime user add alice --groups users --out alice", "runs programs as alice"],
        ["minime user add bob --groups ops --unix-user root --out bob", "an operator"],
      ],
      options: userAddOptions,
      args: { placeholder: "NAME", brief: "Name in the certificate", minimum: 1, maximum: 1 },
      load: () => import("./user_add_command.ts").then((m) => m.runUserAdd),
    }),
  ],
});

/** Of `minime reload`. */
export const reloadOptions = {
  name: text("Which node, where several run on this machine", { placeholder: "NAME" }),
  ...JSON_OUTPUT,
};

/** On the node itself. */
export const reload = command({
  name: "reload",
  brief: "Let the daemon of this machine read its mesh file again",
  description:
    "Hosts, segment, discover, hooks and log_level count at once; links that stay are not " +
    "touched. What counts later is named: [policy], with its limits, once it is signed, on all nodes " +
    "(minime mesh publish); groups with another certificate (boot --install, mesh provision); where it " +
    "listens from the next start on. A file with a mistake changes nothing, and says what is wrong; of " +
    "a daemon that waits for its certificate the log says it. SIGHUP does the same.",
  examples: [
    ["minime reload", "after a change of /etc/minime/lab/mesh.toml"],
    ["minime mesh publish --config mesh.toml", "after one of [policy], where the root key is"],
  ],
  options: reloadOptions,
  load: () => import("./reload_command.ts").then((m) => m.runReload),
});

/** Of `minime revoke`. */
export const revokeOptions = { ...JSON_OUTPUT };

/** Takes the root key. */
export const revoke = command({
  name: "revoke",
  brief: "Shut keys of nodes or people out of the mesh, for ever",
  description: "Every node that is up closes its connections with them at once, and tells its " +
    "neighbours; nodes that are away learn it when they come back. The name itself can be given " +
    "again, with a new key. It takes the root key.",
  examples: [
    ["minime revoke alice", "all keys that alice was given from here"],
    ["minime revoke n17", "a node that was lost, by the key it had"],
  ],
  options: revokeOptions,
  args: { placeholder: "NAME|KEY", brief: "A name, or a key id of 64 hex digits", minimum: 1 },
  load: () => import("./revoke_command.ts").then((m) => m.runRevoke),
});

/** Of `minime audit`. */
export const auditOptions = {
  name: text("Of this node only, where several have run on this machine", { placeholder: "NAME" }),
  user: text("Of this person or node only", { placeholder: "NAME" }),
  verb: text("Of this verb only, or of all verbs of this module", { placeholder: "VERB" }),
  refused: flag("Only what was refused"),
  since: duration("Only what was asked since so long ago"),
  last: whole("So many at most, the last ones", { minimum: 1, maximum: 1_000_000 }, {
    default: "100",
  }),
  ...JSON_OUTPUT,
};

/** On the node itself. */
export const audit = command({
  name: "audit",
  brief: "Show what was asked of the nodes of this machine, and what was allowed",
  description: "Read from the disk of the node, so its daemon need not run. Only the user of the " +
    "daemon may read it.",
  examples: [
    ["minime audit --since 1h --refused", "who tried what"],
    ["minime audit --user alice --verb exec --json", "everything that alice ran, for programs"],
  ],
  options: auditOptions,
  load: () => import("./audit_command.ts").then((m) => m.runAudit),
});

/** Of `minime token create`. */
export const tokenCreateOptions = {
  name: text("Name of the node that it makes", { placeholder: "NAME" }),
  groups: list("Groups in its certificate; repeatable, commas separate several", {
    placeholder: "GROUP",
  }),
  ttl: timeLimit("How long it may be used", { default: "1h" }),
  registrar: text("Who makes and redeems it; default: any node of group registrar that is up", {
    placeholder: "NODE",
    completion: "nodes",
  }),
  out: text("Write it into this file, mode 0600; default: print it", {
    placeholder: "FILE",
    completion: "files",
  }),
  ...JSON_OUTPUT,
};

/** How machines become nodes that nobody has made keys for. */
export const token = group({
  name: "token",
  brief: "Let a machine join the mesh, once",
  examples: [["minime token create --name n17 --groups compute --out n17.token", "for an hour"]],
  commands: [
    command({
      name: "create",
      brief: "Make a token with which one machine becomes one node",
      description:
        "It is good for one name, one key and a time, at the registrar that made it, and " +
        "names the mesh by its root key. Whoever has it can become that node: keep it secret.",
      examples: [
        ["minime token create --name n17 --groups compute --ttl 1h --out n17.token", "into a file"],
        [
          "minime init install --config mesh.toml --token-file n17.token",
          "there: makes its keys, joins, and runs whenever the machine does",
        ],
      ],
      options: tokenCreateOptions,
      load: () => import("./token_command.ts").then((m) => m.runTokenCreate),
    }),
  ],
});
