import assert from "node:assert/strict";
import { sshFailure } from "../../../modules/network_boot/ssh_failure.ts";
import type { HostReason } from "../../../modules/network_boot/host_error.ts";

const CHANGED = `@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Offending ED25519 key in /root/.ssh/known_hosts:3
Host key for n3 has changed and you have requested strict checking.
Host key verification failed.
`;

/** What ssh printed, the reason, and the words for people. */
const CASES: readonly (readonly [stderr: string, reason: HostReason, text: RegExp])[] = [
  [
    "ssh: Could not resolve hostname nx: Name or service not known\r\n",
    "unknown-name",
    /^name unknown \(Could not resolve hostname nx: Name or service not known\)$/,
  ],
  [
    "ssh: connect to host n1 port 22: Connection refused\r\n",
    "refused",
    /^connection refused: nobody listens for ssh \(connect to host n1 port 22: Connection refused\)$/,
  ],
  ["ssh: connect to host n1 port 22: Connection timed out", "timeout", /^timed out: no answer/],
  ["Connection timed out during banner exchange\n", "timeout", /during banner exchange\)$/],
  ["Timeout, server n1 not responding.\n", "timeout", /server n1 not responding/],
  ["ssh: connect to host n1 port 22: No route to host", "no-route", /^no route \(/],
  [CHANGED, "host-key", /^host key: it has changed \(Host key verification failed\.\)$/],
  [
    "No ED25519 host key is known for n4 and you have requested strict checking.\n" +
    "Host key verification failed.\n",
    "host-key",
    /^host key: it is unknown \(No ED25519 host key is known for n4/,
  ],
  [
    "root@n1: Permission denied (publickey).\n",
    "denied",
    /^permission denied: ssh does not let you in \(root@n1: Permission denied \(publickey\)\.\)$/,
  ],
  [
    "Bad configuration option: foo\nterminating, 1 bad\n",
    "ssh",
    /^ssh failed: terminating, 1 bad$/,
  ],
  ["", "ssh", /^ssh failed: it said nothing$/],
];

Deno.test("ssh failure: what ssh says becomes a reason, and its own words stay", () => {
  for (const [stderr, reason, text] of CASES) {
    const error = sshFailure(stderr);
    assert.equal(error.reason, reason, stderr);
    assert.match(error.text, text);
  }
});

Deno.test("ssh failure: nothing that a host sends can move a terminal's cursor", () => {
  const error = sshFailure("evil\x1b[2J\x07: Permission denied (publickey)\n");
  assert.equal(error.reason, "denied");
  // deno-lint-ignore no-control-regex -- those are what is looked for
  assert.doesNotMatch(error.text, /[\x00-\x1f]/);
});
