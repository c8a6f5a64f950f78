/**
 * The commands of all modules, in the order in which `minime help` lists them. A module's commands.ts
 * is data, and read only when one of its commands is typed or all of them are asked for; nothing here
 * loads an implementation.
 */

import type { Command, CommandGroup, ListedCommand } from "./shared/command.ts";

const forward = () => import("./forward/commands.ts");
const group = () => import("./group/commands.ts");
const exec = () => import("./exec/commands.ts");
const files = () => import("./files/commands.ts");
const halt = () => import("./halt/commands.ts");
const initBoot = () => import("./init_boot/commands.ts");
const keys = () => import("./keys/commands.ts");
const init = () => import("./init_boot/init_commands.ts");
const log = () => import("./log/commands.ts");
const mailbox = () => import("./mailbox/commands.ts");
const mesh = () => import("./mesh/commands.ts");
const networkBoot = () => import("./network_boot/commands.ts");
const router = () => import("./router/commands.ts");
const upgrade = () => import("./upgrade/commands.ts");
const uptime = () => import("./uptime/commands.ts");

export const commands: readonly ListedCommand[] = [
  listed("boot", async () => (await networkBoot()).boot),
  listed("recon", async () => (await networkBoot()).recon),
  listed("status", async () => (await mesh()).status),
  listed("nodes", async () => (await mesh()).nodes),
  listed("uptime", async () => (await uptime()).uptime),
  listed("exec", async () => (await exec()).exec),
  listed("shell", async () => (await exec()).shell),
  listed("cp", async () => (await files()).cp),
  listed("jobs", async () => (await exec()).jobs),
  listed("logs", async () => (await exec()).logs),
  listed("attach", async () => (await exec()).attach),
  listed("wait", async () => (await exec()).wait),
  listed("kill", async () => (await exec()).kill),
  listed("ping", async () => (await mesh()).ping),
  listed("route", async () => (await router()).route),
  listed("trace", async () => (await router()).trace),
  listed("call", async () => (await group()).call),
  listed("send", async () => (await mailbox()).send),
  listed("recv", async () => (await mailbox()).recv),
  listed("forward", async () => (await forward()).forward),
  listed("grow", async () => (await networkBoot()).grow),
  listed("shrink", async () => (await halt()).shrink),
  listed("upgrade", async () => (await upgrade()).upgrade),
  listed("halt", async () => (await halt()).halt),
  listed("wipe", async () => (await networkBoot()).wipe),
  listed("mesh", async () => {
    const [{ mesh }, { keysOfMesh }] = await Promise.all([initBoot(), keys()]);
    return { ...mesh, commands: [...mesh.commands, ...keysOfMesh] };
  }),
  listed("user", async () => {
    const [{ user }, { keysOfUsers }] = await Promise.all([initBoot(), keys()]);
    return { ...user, commands: [...user.commands, ...keysOfUsers] };
  }),
  listed("revoke", async () => (await initBoot()).revoke),
  listed("token", async () => (await initBoot()).token),
  listed("init", async () => (await init()).init),
  listed("reload", async () => (await initBoot()).reload),
  listed("log", async () => (await log()).log),
  listed("audit", async () => (await initBoot()).audit),
  listed("__holder", async () => (await exec()).holder),
  listed("__files", async () => (await files()).fileAgent),
];

function listed(name: string, load: () => Promise<Command | CommandGroup>): ListedCommand {
  return { name, load };
}
