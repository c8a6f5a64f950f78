/**
 * A machine to install on: this one's files, but what is changed in /etc and /usr/local, and all of
 * /run, /tmp, /var/lib and /var/log, is its own and gone with it. Its processes are its own too; the
 * network is the machine's.
 */

const SETUP = `
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
for folder in etc usr/local; do
  mkdir -p "/mnt/upper/$folder" "/mnt/spare/$folder"
  mount -t overlay overlay "/$folder" -o \\
    "lowerdir=/$folder,upperdir=/mnt/upper/$folder,workdir=/mnt/spare/$folder"
done
for folder in /run /var/lib /var/log; do mount -t tmpfs tmpfs "$folder"; done
hostname "$1"
echo ready
exec sleep infinity
`;

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Needs root. Disposing ends everything that runs in it. */
export class LoneMachine implements AsyncDisposable {
  readonly #holder: Deno.ChildProcess;
  readonly #init: number;

  private constructor(holder: Deno.ChildProcess, init: number) {
    this.#holder = holder;
    this.#init = init;
  }

  static async start(hostName: string): Promise<LoneMachine> {
    const holder = new Deno.Command("unshare", {
      args: [
        ...["--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"],
        ...["sh", "-ec", SETUP, "sh", hostName],
      ],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const reader = holder.stdout.getReader();
    const { value } = await reader.read();
    if (new TextDecoder().decode(value) !== "ready\n") throw new Error("It did not come up");
    await reader.cancel();
    const children = await Deno.readTextFile(`/proc/${holder.pid}/task/${holder.pid}/children`);
    return new LoneMachine(holder, Number(children.trim()));
  }

  /** With the variables of a login of root. */
  async run(argv: readonly string[], folder = "/"): Promise<RunResult> {
    const { code, stdout, stderr } = await new Deno.Command("nsenter", {
      args: ["-t", String(this.#init), "-m", "-p", "-u", "--", ...argv],
      cwd: folder,
      clearEnv: true,
      env: {
        HOME: "/root",
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
        PWD: folder,
        NO_COLOR: "1",
        DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache/deno`,
      },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** Where this machine finds a path of that one. */
  path(path: string): string {
    return `/proc/${this.#init}/root${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.status;
  }
}
