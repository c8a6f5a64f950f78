/**
 * How much a host sent and received, as its kernel counts (every byte on the cable, headers too),
 * and a limit on what it can send: for "behind a thin line" and "sent at most so often".
 */

import { Fault } from "./faults.ts";
import type { Host } from "./host.ts";
import { runTool } from "./process.ts";

export interface Traffic {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** More than the largest packet that a veth pair carries unsplit. */
const BURST_BYTES = 64 * 1024;
/** What waits in the queue at most; TCP takes the loss beyond it as the sign of a thin line. */
const QUEUE_BYTES = 256 * 1024;

/** All interfaces together, since the rig was started. */
export function trafficOf(host: Host): Traffic {
  const sum = (counter: string) =>
    host.interfaces.reduce((total, { name }) => {
      const path = host.path(`/sys/class/net/${name}/statistics/${counter}`);
      return total + Number(Deno.readTextFileSync(path));
    }, 0);
  return { sentBytes: sum("tx_bytes"), receivedBytes: sum("rx_bytes") };
}

/** Limits what the host sends by each of its interfaces; receiving stays fast. */
export async function throttled(
  host: Host,
  options: { bytesPerSecond: number },
): Promise<Fault> {
  const enter = ["nsenter", "-t", String(host.holderPid), "-n", "tc", "qdisc"];
  const { bytesPerSecond } = options;
  for (const { name } of host.interfaces) {
    await runTool([
      ...enter,
      ...["add", "dev", name, "root", "tbf"],
      ...["rate", `${bytesPerSecond}bps`, "burst", `${BURST_BYTES}`, "limit", `${QUEUE_BYTES}`],
    ]);
  }
  return new Fault(async () => {
    for (const { name } of host.interfaces) await runTool([...enter, "del", "dev", name, "root"]);
  });
}
