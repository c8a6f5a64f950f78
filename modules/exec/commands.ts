/** The commands of the exec module, as data. */

import { UsageError } from "../../core/mod.ts";
import { command, FOLD, JSON_OUTPUT, NODES } from "../shared/command.ts";
import { GROUP_START_MS_MAX } from "../shared/limits.ts";
import { readJobName } from "./job_name.ts";
import { flag, list, listOf, text, timeLimit, value, whole } from "../shared/option.ts";
import { unixUser } from "../shared/unix_user.ts";
import { RUN_MS_MAX } from "./limits.ts";

const FANOUT_MAX = 65_536;

/** Of `minime exec`. */
export const execOptions = {
  ...NODES,
  shell: flag("The command is a line for /bin/sh; more words are its $1, $2, …", { letter: "s" }),
  fanout: whole(
    "Run on so many nodes at once; above 16 in 16 groups, the next when one has ended",
    { minimum: 1, maximum: FANOUT_MAX },
    {
      letter: "f",
    },
  ),
  ...FOLD,
  diff: flag("Show how output differs from what most nodes print"),
  bare: flag("Print output without the names of nodes", { letter: "N" }),
  outdir: value("Write stdout to DIR/NODE", parseFolder, {
    placeholder: "DIR",
    completion: "files",
  }),
  errdir: value("Write stderr to DIR/NODE", parseFolder, {
    placeholder: "DIR",
    completion: "files",
  }),
  ...JSON_OUTPUT,
  stream: flag("With --json: print events as they come, one a line"),
  noInput: flag("Programs read nothing; without it they read our stdin, unless it is a terminal", {
    letter: "n",
  }),
  timeout: timeLimit("How long a program may run; then it is ended", { mostMs: RUN_MS_MAX }),
  connectTimeout: timeLimit("How long a node may take to begin; default 5s", {
    mostMs: GROUP_START_MS_MAX,
  }),
  killAfter: timeLimit("How long a program may take to end before it is killed; default 5s", {
    mostMs: RUN_MS_MAX,
  }),
  env: listOf("Set a variable; repeatable", parseVariable, { placeholder: "NAME=VALUE" }),
  passEnv: list("Pass our variables whose names fit; * stands for any characters; repeatable", {
    placeholder: "PATTERN",
  }),
  chdir: value("Run in this folder, absolute or below the home; default the home", parseFolder, {
    placeholder: "DIR",
  }),
  user: unixUser("Run as this unix user; default the one in your certificate"),
  terminal: flag("Run it on a terminal; on one node only, encrypted as far as there", {
    letter: "t",
  }),
  private: flag("Encrypt it as far as each node; nothing is folded on the way, 64 nodes at once"),
  bg: flag("Leave it running as a job, and print the job's name"),
  name: value("Name of the job", readJobName, { placeholder: "NAME" }),
  umask: value("Permission bits that files do not get, in octal", parseUmask, {
    placeholder: "MASK",
  }),
};

/** A program on any number of nodes. */
export const exec = command({
  name: "exec",
  brief: "Run a program on nodes",
  description:
    "The command begins with the first word that is no option, and from there on every word belongs to " +
    "it, untouched by any shell; -s runs a line for a shell. Output comes as it is written, line by " +
    "line with the node's name before it. Stdin goes to all of the programs, which do not wait for it " +
    "unless they read it; with -f those that come later read it from its beginning, kept in memory or, " +
    "above 1 MiB, in $TMPDIR. ^C asks them to end, ^C again kills them; they are ended too when this " +
    "command dies.\n\n" +
    "A program gets a clean environment with HOME, USER, PATH and the like, what --env and --pass-env " +
    "say, and MINIME_NODE, MINIME_RANK, MINIME_SIZE and MINIME_NODESET. It runs as the unix user in " +
    "your certificate or as --user, if the policy of the node allows that.\n\n" +
    "Nodes that carry the command to others can read its output and input, and could change the output, " +
    "but not the command or its input.\n\n" +
    "Exit code: the largest of all programs (128+N for signal N), 124 out of time, 125 not started on " +
    "some node; if it ran nowhere: 4 unreachable, 5 refused, 124 not begun in time.",
  examples: [
    ["minime exec -w 'n[1-64]' uptime", "on 64 nodes"],
    ["minime exec -ab -s 'uname -r; free | head -2'", "equal output once, with its nodes"],
    ["minime exec -g compute -f 4 --timeout 10m /opt/upgrade --yes", "on four nodes at a time"],
    ["tar c etc | minime exec -w 'n[1-8]' tar x -C /tmp", "the same input for all"],
  ],
  options: execOptions,
  args: {
    placeholder: "CMD [ARG]",
    brief: "The program and its arguments",
    minimum: 1,
    verbatim: true,
  },
  load: () => import("./exec_command.ts").then((m) => m.runExec),
});

/** Of commands on one job. */
export const jobOptions = {
  ...NODES,
  user: unixUser("As this unix user, if the job was started as another than your own"),
};
/** Of `minime jobs`. */
export const jobsOptions = { ...jobOptions, ...JSON_OUTPUT };
/** Of `minime logs`. */
export const logsOptions = {
  ...jobOptions,
  follow: flag("Wait for more until the job has ended", { letter: "f" }),
  bare: flag("Print output without the names of nodes", { letter: "N" }),
};
/** Of `minime kill`. */
export const killOptions = {
  ...jobOptions,
  signal: text("By name or number", { letter: "s", placeholder: "SIGNAL", default: "TERM" }),
};

/** Of `minime shell`. */
export const shellOptions = {
  user: unixUser("As this unix user; default the one in your certificate"),
  connectTimeout: timeLimit("How long to try to reach the node; default 5s"),
};

/** An interactive terminal on one node. */
export const shell = command({
  name: "shell",
  brief: "Open a terminal on a node",
  description:
    "Runs your login shell there, or the program that is named, on a terminal of its own: keys, colours, " +
    "window size and ^C work as with ssh. The bytes are encrypted from here to that node; nodes that " +
    "carry them can neither read nor change them. Enter, then ~. leaves a session that hangs.\n\n" +
    "Exit code: that of the program.",
  examples: [["minime shell n3", "a shell on n3"], ["minime shell n3 htop", "a program"]],
  options: shellOptions,
  args: {
    placeholder: "NODE [CMD]",
    brief: "The node, and a program with its arguments",
    minimum: 1,
    completion: "nodes",
    verbatim: true,
  },
  load: () => import("./shell_command.ts").then((m) => m.runShell),
});

const JOB_ARGUMENT = { placeholder: "JOB", brief: "Name of the job", minimum: 1, maximum: 1 };
const EVERYWHERE = "Without -w, -g or -a all nodes are asked that are up. ";
const OF_JOB =
  `${EVERYWHERE}One that was to run the job and is down is named, and the exit code is not 0. `;

/** What runs in the background. */
export const jobs = command({
  name: "jobs",
  brief: "List your background jobs and where they run",
  description: `${EVERYWHERE}A job that has ended is remembered for a day.`,
  examples: [["minime jobs", "all of them"], ["minime jobs -w n1 --json", "of one node"]],
  options: jobsOptions,
  load: () => import("./job_commands.ts").then((m) => m.runJobs),
});

/** Output of a job. */
export const logs = command({
  name: "logs",
  brief: "Show the output of a background job",
  description: `${OF_JOB}Each node keeps the last 256 KiB.`,
  examples: [["minime logs -f build", "and what it writes until it ends"]],
  options: logsOptions,
  args: JOB_ARGUMENT,
  load: () => import("./job_commands.ts").then((m) => m.runLogs),
});

/** The end of a job. */
export const wait = command({
  name: "wait",
  brief: "Wait until a background job has ended on all of its nodes",
  description: `${OF_JOB}Exit code: that of exec.`,
  examples: [["minime wait build && echo built", "go on when it went well"]],
  options: jobOptions,
  args: JOB_ARGUMENT,
  load: () => import("./job_commands.ts").then((m) => m.runWait),
});

/** Output and end of a job, as if it had not been put into the background. */
export const attach = command({
  name: "attach",
  brief: "Follow a background job as if it ran in the foreground",
  description: `${OF_JOB}^C goes to the job, ^C again kills it. ^\\ leaves it running, with exit ` +
    "code 131; so do SIGTERM and a terminal that is closed. Exit code: that of exec.",
  examples: [["minime attach build", "output so far, and what comes"]],
  options: jobOptions,
  args: JOB_ARGUMENT,
  load: () => import("./job_commands.ts").then((m) => m.runAttach),
});

/** A signal to a job. */
export const kill = command({
  name: "kill",
  brief: "Send a signal to a background job on all of its nodes",
  description: `${OF_JOB}The signal goes to all processes of the job.`,
  examples: [
    ["minime kill build", "ask it to end"],
    ["minime kill -9 build", "kill it"],
    ["minime kill -USR1 -w n1 build", "another signal, on one node"],
  ],
  options: killOptions,
  args: {
    placeholder: "[-SIGNAL] JOB",
    brief: "Number or name of the signal, name of the job",
    minimum: 1,
    maximum: 2,
    capitals: "signal",
  },
  load: () => import("./job_commands.ts").then((m) => m.runKill),
});

/** What a daemon starts with the first background job. */
export const holder = command({
  name: "__holder",
  hidden: true,
  brief: "Hold the background jobs of a node",
  examples: [["minime __holder /var/lib/minime/lab/n1 n1", "as its daemon does"]],
  options: {},
  args: {
    placeholder: "FOLDER NODE",
    brief: "State folder and name of it",
    minimum: 2,
    maximum: 2,
  },
  load: () => import("./holder_command.ts").then((m) => m.runHolder),
});

function parseFolder(given: string): string {
  if (given !== "") return given;
  throw new UsageError("The name of the folder is empty");
}

function parseVariable(given: string): [name: string, value: string] {
  const equals = given.indexOf("=");
  const name = given.slice(0, equals);
  if (equals > 0 && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return [name, given.slice(equals + 1)];
  throw new UsageError(`"${given}" is not NAME=VALUE`);
}

function parseUmask(given: string): number {
  if (/^[0-7]{1,4}$/.test(given) && parseInt(given, 8) <= 0o777) return parseInt(given, 8);
  throw new UsageError(`"${given}" is no mask in octal, such as 022`);
}
