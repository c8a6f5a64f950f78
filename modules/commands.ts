/**
 * The commands of all modules, in the order in which `minime help` lists them. A module's
 * commands.ts is data: nothing here loads an implementation.
 */

import { forward } from "./forward/commands.ts";
import { call } from "./group/commands.ts";
import { attach, exec, holder, jobs, kill, logs, shell, wait } from "./exec/commands.ts";
import { cp, fileAgent } from "./files/commands.ts";
import { halt, shrink } from "./halt/commands.ts";
import { audit, mesh, reload, revoke, token, user } from "./init_boot/commands.ts";
import { keysOfMesh, keysOfUsers } from "./keys/commands.ts";
import { init } from "./init_boot/init_commands.ts";
import { log } from "./log/commands.ts";
import { recv, send } from "./mailbox/commands.ts";
import { nodes, ping, status } from "./mesh/commands.ts";
import { boot, grow, recon, wipe } from "./network_boot/commands.ts";
import { route, trace } from "./router/commands.ts";
import type { Command, CommandGroup } from "./shared/command.ts";
import { upgrade } from "./upgrade/commands.ts";
import { uptime } from "./uptime/commands.ts";

export const commands: readonly (Command | CommandGroup)[] = [
  boot,
  recon,
  status,
  nodes,
  uptime,
  exec,
  shell,
  cp,
  jobs,
  logs,
  attach,
  wait,
  kill,
  ping,
  route,
  trace,
  call,
  send,
  recv,
  forward,
  grow,
  shrink,
  upgrade,
  halt,
  wipe,
  { ...mesh, commands: [...mesh.commands, ...keysOfMesh] },
  { ...user, commands: [...user.commands, ...keysOfUsers] },
  revoke,
  token,
  init,
  reload,
  log,
  audit,
  holder,
  fileAgent,
];
