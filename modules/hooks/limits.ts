/** Every number that bounds something in the hooks, with its unit and its reason. */

/** Programs that run at once: a rack that fails must not start hundreds. */
export const HOOKS_AT_ONCE_MAX = 4;
/** A node that is back is heard of as it was, and as it is, within this; nobody waits for a hook. */
export const HOOK_SETTLE_MS = 500;
/** Nodes of which something is still to be told; one more replaces the one that waits longest. */
export const HOOK_NODES_WAITING_MAX = 10_000;
/** From SIGTERM to SIGKILL, of the program and all that it started. */
export const HOOK_GRACE_MS = 2_000;
/** What is kept of its stderr, for the log. */
export const HOOK_STDERR_CHARACTERS_MAX = 2_000;
/** How long its stderr is waited for when it has ended: what it started may hold that open. */
export const HOOK_STDERR_MS_MAX = 500;
