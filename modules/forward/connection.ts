/**
 * The near end of one forwarded connection: between the socket that a local program opened and the call
 * in which the node connects for it. What ends at one end ends at the other, what breaks is broken: a
 * program must never take a part for the whole.
 */

import { type BytePipe, CallError, ConnectionError } from "../../core/mod.ts";
import { bytesOf, feed } from "./flow.ts";
import type { Opened } from "./node_way.ts";

/**
 * Carries bytes both ways until both are over, and closes the socket. Rejects with CallError or
 * ConnectionError for what went wrong at the far end; a local program that goes is the end.
 */
export async function carryLocal(pipe: BytePipe, open: () => Promise<Opened>): Promise<void> {
  let sending: Promise<void> | undefined;
  let isGone = false;
  try {
    const { call, items } = await open();
    const goAway = () => {
      isGone = true;
      call.cancel("The program that was connected here has gone");
    };
    sending = send(pipe, call, goAway);
    try {
      await feed(pipe, items);
      await sending;
      await call.reply;
    } catch (error) {
      // Only the socket of this machine breaks with a ConnectionError here.
      if (error instanceof ConnectionError) goAway();
      else if (!isGone) throw error;
    }
  } catch (error) {
    pipe.reset();
    throw error;
  } finally {
    pipe.close();
    await sending;
  }
}

/** Never rejects. */
async function send(pipe: BytePipe, call: Opened["call"], onGone: () => void): Promise<void> {
  try {
    for await (const chunk of bytesOf(pipe)) await call.send(chunk);
    await call.end();
  } catch (error) {
    if (error instanceof ConnectionError) onGone(); // Why a call is over comes from its items.
    else if (!(error instanceof CallError)) throw error;
  }
}
