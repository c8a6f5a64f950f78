/**
 * The unit file of a node. Programs that users run on the node are children of the daemon and live
 * in what this file builds, so there is no hardening here that would reach them: no private view of
 * files or devices (what they mount would be seen by themselves only), no filter of system calls, no
 * limit of capabilities (dmesg, modprobe, hostname, setuid programs). What it keeps private are
 * the daemon's own things: its state, its keyring, its memory, its word with systemd.
 */

/** What the file depends on. */
export interface UnitOptions {
  readonly mesh: string;
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** The program and its arguments that let the daemon read its files again, and say whether it did. */
  readonly reload: readonly string[];
  /** Of the systemd that will read it; undefined: as old as it may be. */
  readonly systemdVersion: number | undefined;
}

/** The first that lengthens the pause between restarts by itself. */
const BACKOFF_VERSION = 254;

/** The text of the file. Throws RangeError for a word that such a file cannot hold. */
export function systemdUnit({ mesh, command, reload, systemdVersion = 0 }: UnitOptions): string {
  const backoff = systemdVersion >= BACKOFF_VERSION
    ? "RestartSec=1\nRestartSteps=8\nRestartMaxDelaySec=60"
    : "RestartSec=5";
  return `# Written by "minime init install"; changes belong into: systemctl edit minime-${mesh}
[Unit]
Description=minime, a node of mesh ${mesh}
Wants=network-online.target
After=network-online.target
# A mesh heals whenever its machines do: never give up.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=${command.map(unitWord).join(" ")}
ExecReload=${reload.map(unitWord).join(" ")}
Environment=HOME=/root
StateDirectory=minime
StateDirectoryMode=0700
WatchdogSec=60
# One that hangs cannot end in order.
WatchdogSignal=SIGKILL
TimeoutStartSec=60
TimeoutStopSec=30
Restart=on-failure
${backoff}
# The file, the command or the keys are wrong: a person is needed.
RestartPreventExitStatus=2 5
# The daemon ends what it must end itself; background jobs outlive it.
KillMode=process
# A program of a user that needs too much memory is no failure of the daemon.
OOMPolicy=continue
# They all count as tasks of this unit.
TasksMax=infinity
StandardOutput=journal
StandardError=journal
SyslogIdentifier=minime-${mesh}
KeyringMode=private
# There are keys in the daemon's memory; a program that wants a core dump may raise this again.
LimitCORE=0:infinity

[Install]
WantedBy=multi-user.target
`;
}

/** Percent signs and dollars mean something there, blanks and quotes need quotes (systemd.syntax). */
function unitWord(word: string): string {
  const literal = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[A-Za-z0-9_./:@%+=,$-]+$/.test(literal)
    ? literal
    : `"${literal.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
