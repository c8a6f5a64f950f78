/**
 * A small TCP proxy that is as bad as a network can be: slow, late, cut, or half-open. One rate and
 * one set of counters for all its connections, as on one cable. Without a target it takes
 * connections and never answers. In this process; proxy_process.ts runs it elsewhere.
 */

export interface ProxyOptions {
  /** @default a free port of 127.0.0.1 */
  readonly listen?: { readonly hostname: string; readonly port: number };
  readonly target?: { readonly hostname: string; readonly port: number };
  /** Each way. @default no limit */
  readonly bytesPerSecond?: number;
  /** One way, added to every byte. @default 0 */
  readonly delayMs?: number;
}

/** What can be done to a proxy, wherever it runs. */
export interface ProxyControl extends AsyncDisposable {
  readonly port: number;
  counters(): Promise<ProxyCounters>;
  /** Null lifts the limit. */
  setRate(bytesPerSecond: number | null): Promise<void>;
  setDelay(delayMs: number): Promise<void>;
  /** While stalled nothing is forwarded, not even an end; connections stay open, new ones too. */
  stall(stalled: boolean): Promise<void>;
  /** Closes all connections at once; new ones are welcome. */
  cut(): Promise<void>;
}

export interface ProxyCounters {
  /** Bytes that were handed on towards the target, and from it. */
  readonly toTarget: number;
  readonly fromTarget: number;
  /** Accepted so far, and open now. */
  readonly accepted: number;
  readonly open: number;
}

const CHUNK_BYTES = 16 * 1024;
/** What one direction of one connection holds back before its reader waits. */
const QUEUE_BYTES_MAX = 256 * 1024;

export class Proxy implements ProxyControl {
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #target: { hostname: string; port: number } | undefined;
  readonly #connections = new Map<Deno.TcpConn, Deno.TcpConn | undefined>();
  readonly #running = new Set<Promise<void>>();
  readonly #timers = new Map<ReturnType<typeof setTimeout>, () => void>();
  readonly #toTarget: Direction;
  readonly #fromTarget: Direction;
  #gate: PromiseWithResolvers<void> | undefined;
  #accepted = 0;

  constructor(options: ProxyOptions = {}) {
    this.#target = options.target;
    const rate = options.bytesPerSecond ?? null;
    const delayMs = options.delayMs ?? 0;
    this.#toTarget = { rate, delayMs, bytes: 0, freeAt: 0 };
    this.#fromTarget = { rate, delayMs, bytes: 0, freeAt: 0 };
    this.#listener = Deno.listen(options.listen ?? { hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#track(this.#accept());
  }

  counters(): Promise<ProxyCounters> {
    return Promise.resolve({
      toTarget: this.#toTarget.bytes,
      fromTarget: this.#fromTarget.bytes,
      accepted: this.#accepted,
      open: this.#connections.size,
    });
  }

  setRate(bytesPerSecond: number | null): Promise<void> {
    for (const direction of [this.#toTarget, this.#fromTarget]) direction.rate = bytesPerSecond;
    return Promise.resolve();
  }

  setDelay(delayMs: number): Promise<void> {
    for (const direction of [this.#toTarget, this.#fromTarget]) direction.delayMs = delayMs;
    return Promise.resolve();
  }

  stall(stalled: boolean): Promise<void> {
    if (stalled) {
      this.#gate ??= Promise.withResolvers<void>();
    } else {
      this.#gate?.resolve();
      this.#gate = undefined;
    }
    return Promise.resolve();
  }

  cut(): Promise<void> {
    for (const [client, server] of this.#connections) {
      close(client);
      if (server !== undefined) close(server);
    }
    this.#connections.clear();
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    close(this.#listener);
    await this.cut();
    await this.stall(false);
    for (const [timer, wake] of this.#timers) {
      clearTimeout(timer);
      wake();
    }
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #accept(): Promise<void> {
    for (;;) {
      let client: Deno.TcpConn;
      try {
        client = await this.#listener.accept();
      } catch (error) {
        if (isBroken(error)) return;
        throw error;
      }
      this.#accepted++;
      this.#connections.set(client, undefined);
      if (this.#target !== undefined) this.#track(this.#serve(client, this.#target));
    }
  }

  async #serve(
    client: Deno.TcpConn,
    target: { hostname: string; port: number },
  ): Promise<void> {
    let server: Deno.TcpConn | undefined;
    try {
      server = await Deno.connect(target);
      if (!this.#connections.has(client)) return; // Cut while we were dialling.
      this.#connections.set(client, server);
      client.setNoDelay(true);
      server.setNoDelay(true);
      await Promise.all([
        this.#forward(client, server, this.#toTarget),
        this.#forward(server, client, this.#fromTarget),
      ]);
    } catch (error) {
      if (!isBroken(error)) throw error;
    } finally {
      if (server !== undefined) close(server);
      close(client);
      this.#connections.delete(client);
    }
  }

  /** Reads ahead into a bounded queue, so that a delay does not lower the throughput. */
  async #forward(from: Deno.TcpConn, to: Deno.TcpConn, direction: Direction): Promise<void> {
    const queue: { bytes: Uint8Array | null; dueAt: number }[] = [];
    let held = 0;
    let changed = Promise.withResolvers<void>();
    const notify = () => {
      changed.resolve();
      changed = Promise.withResolvers<void>();
    };
    const read = async () => {
      try {
        for (;;) {
          const chunk = new Uint8Array(CHUNK_BYTES);
          const length = await from.read(chunk);
          const dueAt = performance.now() + direction.delayMs;
          queue.push({ bytes: length === null ? null : chunk.subarray(0, length), dueAt });
          held += length ?? 0;
          notify();
          if (length === null) return;
          while (held >= QUEUE_BYTES_MAX) await changed.promise;
        }
      } catch (error) {
        if (!isBroken(error)) throw error;
        queue.push({ bytes: null, dueAt: 0 });
        notify();
      }
    };
    const write = async () => {
      try {
        for (;;) {
          const next = queue.shift();
          if (next === undefined) {
            await changed.promise;
            continue;
          }
          await this.#sleepUntil(Math.max(next.dueAt, reserve(direction, next.bytes)));
          while (this.#gate !== undefined) await this.#gate.promise;
          if (next.bytes === null) return await to.closeWrite();
          await writeAll(to, next.bytes);
          direction.bytes += next.bytes.length;
          held -= next.bytes.length;
          notify();
        }
      } catch (error) {
        if (!isBroken(error)) throw error;
        close(from); // Ends the reader, which may be waiting for us too.
        held = 0;
        notify();
      }
    };
    await Promise.all([read(), write()]);
  }

  async #sleepUntil(at: number): Promise<void> {
    const ms = at - performance.now();
    if (ms <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(wake, ms);
      const timers = this.#timers;
      timers.set(timer, wake);
      function wake(): void {
        timers.delete(timer);
        resolve();
      }
    });
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }
}

interface Direction {
  rate: number | null;
  delayMs: number;
  bytes: number;
  /** When the cable has carried everything that was given to it so far. */
  freeAt: number;
}

/** Books the cable for these bytes and says when they will have passed. */
function reserve(direction: Direction, bytes: Uint8Array | null): number {
  if (direction.rate === null || bytes === null) return 0;
  const start = Math.max(direction.freeAt, performance.now());
  direction.freeAt = start + bytes.length / direction.rate * 1000;
  return direction.freeAt;
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await to.write(rest));
}

/** Whether an error says no more than that a connection or listener is gone. */
function isBroken(error: unknown): boolean {
  return [
    Deno.errors.BadResource,
    Deno.errors.BrokenPipe,
    Deno.errors.ConnectionAborted,
    Deno.errors.ConnectionRefused,
    Deno.errors.ConnectionReset,
    Deno.errors.Interrupted,
    Deno.errors.NotConnected,
    Deno.errors.TimedOut,
  ].some((kind) => error instanceof kind);
}

function close(resource: { close(): void }): void {
  try {
    resource.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
