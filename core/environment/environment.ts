/**
 * Everything the world can do to us or we to the world: time, randomness, network, files, processes
 * and facts about this host. Core and modules get one of these and touch nothing else, so that a
 * thousand daemons can live in one process under a virtual clock and a seed replays exactly.
 *
 * Two makers exist: `core/environment/real.ts` and `tests/simulation/environment.ts`.
 */

import type { Disk } from "./disk.ts";
import type { Multicast, MulticastGroup } from "./multicast.ts";

/** A pending call of {@link Clock.after}. */
export interface Timer {
  /** Idempotent; after it the callback never runs. */
  cancel(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. May jump. */
  now(): number;
  /** Milliseconds from an arbitrary start. Never goes back. */
  monotonic(): number;
  /** Runs `run` once after `ms` milliseconds; `ms` may be any finite number, also above 2^31. */
  after(ms: number, run: () => void): Timer;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, options?: { signal?: AbortSignal }): Promise<void>;
  /**
   * Lets everything that is ready run, the network included, before it resolves: for who wants to
   * come after it and needs no timer.
   */
  yield(): Promise<void>;
}

export interface Random {
  /** `length` bytes fit for keys and nonces (the simulated ones are seeded). */
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

export type Address =
  | { readonly transport: "tcp"; readonly host: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

/**
 * An ordered two-way flow of bytes: a socket, or a simulated pipe. One reader and one writer at a
 * time; neither may be called again before the previous call has settled.
 */
export interface BytePipe {
  /** Where the other end is, for people and for limits by source: "10.0.0.7:7117", "unix:/path". */
  readonly remote: string;
  /** Our own address on this pipe. */
  readonly local: string;
  /** Reads at least one byte into `into`; null at end of file. Rejects when the pipe broke. */
  read(into: Uint8Array): Promise<number | null>;
  /** Resolves when all bytes were taken by the kernel (backpressure). The bytes are ours until then. */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Ends what we write: the other end reads all that was taken, then null, while we go on reading.
   * Not while a write is under way. Later writes reject as after `close`. Idempotent; nothing happens
   * when the pipe is closed. Rejects when it broke.
   */
  closeWrite(): Promise<void>;
  /**
   * As `close`, but the other end's reads and writes reject instead of coming to an orderly end: what it
   * got is not all. Where a transport cannot do that (unix sockets), it is a close.
   */
  reset(): void;
  /** Closes both ways at once; a pending read ends with null or rejects. Idempotent. */
  close(): void;
}

export interface PipeListener {
  /** True once `close` was called. */
  readonly closed: boolean;
  /** The address that was really bound (port 0 is resolved). */
  readonly address: Address;
  /**
   * Waits out what will pass, such as a lack of file descriptors. Rejects with any error once closed.
   */
  accept(): Promise<BytePipe>;
  /** Idempotent. Removes a unix socket's path. */
  close(): void;
}

export interface Network {
  /** Rejects with the system's reason (refused, timed out, no route, unknown name) or the signal's. */
  dial(address: Address, options?: { signal?: AbortSignal }): Promise<BytePipe>;
  /** Rejects when the address is taken. A unix path is made with mode 0600. */
  listen(address: Address): Promise<PipeListener>;
  /** The IP addresses of this host that others might dial, best first, loopback left out. */
  addresses(): readonly string[];
  /** Throws ConnectionError, also when another program has the port for itself alone. */
  multicast(group: MulticastGroup): Multicast;
}

export interface FileFacts {
  readonly kind: "file" | "folder" | "socket" | "other";
  readonly size: number;
  /** Permission bits, for example 0o600. */
  readonly mode: number;
  readonly uid: number;
  /** Unix ms. */
  readonly modified: number;
  /** The same for all that lies on one file system: another one was mounted over what has another. */
  readonly device: number;
}

export interface Files {
  /** Rejects with {@link NotFoundError} when there is none. */
  read(path: string): Promise<Uint8Array<ArrayBuffer>>;
  readText(path: string): Promise<string>;
  /** Atomic and durable: temporary file, sync, rename, sync of the folder. `mode` default 0600. */
  write(path: string, data: Uint8Array | string, options?: { mode?: number }): Promise<void>;
  /** Creates the file with `mode` (default 0600) when missing. */
  append(path: string, data: Uint8Array | string, options?: { mode?: number }): Promise<void>;
  /** With all parents; existing folders are fine. `mode` default 0700. */
  makeFolder(path: string, options?: { mode?: number }): Promise<void>;
  /**
   * Recursive; a missing path is fine. `alone`: a folder only when it is empty, for one that others
   * have filled.
   */
  remove(path: string, options?: { alone?: boolean }): Promise<void>;
  /**
   * Names in the folder, sorted; an empty list when there is no folder. `max`: no more than so many of
   * them are read, whichever come first.
   */
  list(path: string, options?: { max?: number }): Promise<string[]>;
  /** Undefined when there is nothing. Does not follow a symbolic link. */
  facts(path: string): Promise<FileFacts | undefined>;
  /** The same place by a path without symbolic links, absolute; undefined when there is nothing. */
  realPath(path: string): Promise<string | undefined>;
  /** Changes permission bits. */
  setMode(path: string, mode: number): Promise<void>;
  /**
   * Waits until nobody else holds the lock on that file, which is made when it is missing. It is
   * held until disposed or the process ends. Rejects with the signal's reason.
   */
  lock(path: string, options: { signal: AbortSignal }): Promise<Disposable>;
}

export interface ChildStatus {
  readonly code: number;
  readonly signal: string | undefined;
}

export interface Child {
  readonly pid: number;
  readonly stdin: WritableStream<Uint8Array> | undefined;
  readonly stdout: ReadableStream<Uint8Array> | undefined;
  readonly stderr: ReadableStream<Uint8Array> | undefined;
  readonly status: Promise<ChildStatus>;
  /** No error when it is gone already. */
  kill(signal: string): void;
  /** The event loop no longer waits for this child. */
  release(): void;
}

export interface SpawnOptions {
  readonly args?: readonly string[];
  readonly stdin?: "piped" | "null" | "inherit";
  readonly stdout?: "piped" | "null" | "inherit";
  readonly stderr?: "piped" | "null" | "inherit";
  readonly environment?: Readonly<Record<string, string>>;
  /** Start from an empty environment. @default false */
  readonly clearEnvironment?: boolean;
  readonly folder?: string;
  /** In a session of its own (setsid), so that it outlives us. @default false */
  readonly detached?: boolean;
}

/** A user of this host. */
export interface UnixUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** What an earlier program of this process has left in memory. */
export interface HandedOver {
  readonly bytes: Uint8Array;
  /** It is gone from memory. */
  forget(): void;
}

export interface Processes {
  readonly pid: number;
  /** The user this process acts as (effective user id); files that it makes belong to it. */
  readonly uid: number;
  /** Rejects with {@link NotFoundError} when the program is missing. */
  spawn(program: string, options?: SpawnOptions): Promise<Child>;
  /**
   * False when there is no such process (or it is not ours). Signal "0" only asks. A negative number
   * means all processes of that group, such as those that a detached child has started.
   */
  signal(pid: number, signal: string): boolean;
  /** Calls `run` on each arrival. */
  onSignal(
    signal: "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGQUIT" | "SIGWINCH",
    run: () => void,
  ): Disposable;
  /**
   * Tells the service manager that started us, in the words of sd_notify(3): "READY=1". False where
   * there is none.
   */
  notify(text: string): boolean;
  /** How to start this very program again: [program, ...first arguments]. Fixed at start. */
  readonly self: readonly string[];
  /** The one executable file that this program is, or undefined when it runs from source. */
  readonly executable: string | undefined;
  /**
   * This process acts as that user from now on, with all of its groups, for good. Throws FileError, and
   * then the process must end.
   */
  become(user: UnixUser): void;
  /** Lets go of files that were open in whoever started us, but for stdin, stdout and stderr. */
  closeInherited(): void;
  /** Stdin and stdout, where they are pipes, take more at once from now on. */
  widenPipes(): void;
  /** What followed the name of this program on its command line. */
  readonly arguments: readonly string[];
  /** Keeps bytes in memory for a program started with these variables, or that replaces us. */
  handOver(bytes: Uint8Array): Readonly<Record<string, string>>;
  handedOver(): HandedOver | undefined;
  /**
   * Goes on as this program, with our pid, arguments and variables and `more` of those. Returns only
   * by throwing MinimeError, when it cannot be run.
   */
  replace(program: string, more: Readonly<Record<string, string>>): never;
  variable(name: string): string | undefined;
  /** Those that are text; a value that is not UTF-8 is left out. */
  variables(): Readonly<Record<string, string>>;
  /** Names of those that are left out. */
  oddVariables(): readonly string[];
}

export interface HostFacts {
  readonly name: string;
  /** "x86_64", "aarch64". */
  readonly architecture: string;
  readonly cores: number;
  /** Unix ms of the machine's boot. */
  readonly booted: number;
  /** Load averages over 1, 5 and 15 minutes. */
  readonly load: readonly [number, number, number];
  readonly memory: { readonly totalBytes: number; readonly freeBytes: number };
  /** Logged-in sessions, or undefined where the host does not tell. */
  readonly users: number | undefined;
  /** This process. */
  readonly process: { readonly residentBytes: number; readonly cpuMs: number };
}

export interface Environment {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly files: Files;
  readonly disk: Disk;
  readonly processes: Processes;
  /** Facts as of now. */
  host(): Promise<HostFacts>;
}

export type { Disk, DiskFacts, DiskFile, OddNames } from "./disk.ts";
export type { Datagram, Multicast, MulticastGroup } from "./multicast.ts";
