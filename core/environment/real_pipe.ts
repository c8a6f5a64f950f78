/**
 * A connected socket as a {@link BytePipe}. After our own `close` a read gives null and a write
 * rejects with reason "closed", also one that was waiting.
 */
import type { BytePipe } from "./environment.ts";
import { ConnectionError } from "../errors.ts";
import { connectionError } from "./real_errors.ts";
import { resetConnection } from "./real_reset.ts";

export class RealPipe implements BytePipe {
  readonly remote: string;
  readonly local: string;
  readonly #connection: Deno.Conn;
  #closed = false;
  #writeClosed: Promise<void> | undefined;
  #failWrite: ((error: Error) => void) | undefined;

  constructor(connection: Deno.Conn, remote: string, local: string) {
    this.#connection = connection;
    this.remote = remote;
    this.local = local;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.#closed) return null;
    try {
      return await this.#connection.read(into);
    } catch (error) {
      if (this.#closed) return null;
      throw connectionError(`read from ${this.remote}`, error);
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    // Not async with a race: Deno 2.6 leaves a blocked write pending when its socket is closed.
    return new Promise((resolve, reject) => {
      if (this.#closed || this.#writeClosed !== undefined) return reject(this.#closedError());
      this.#failWrite = reject;
      this.#writeAll(bytes).then(resolve, (error) => {
        const ours = this.#closed;
        reject(ours ? this.#closedError() : connectionError(`write to ${this.remote}`, error));
      });
    });
  }

  closeWrite(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#writeClosed ??= this.#shutDownWrite();
    return this.#writeClosed;
  }

  reset(): void {
    if (!this.#closed) resetConnection(this.#connection);
    this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
    this.#failWrite?.(this.#closedError());
  }

  async #shutDownWrite(): Promise<void> {
    try {
      await this.#connection.closeWrite();
    } catch (error) {
      if (!this.#closed) throw connectionError(`end what is sent to ${this.remote}`, error);
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    let at = bytes.length === 0 ? 0 : await this.#connection.write(bytes);
    while (at < bytes.length) at += await this.#connection.write(bytes.subarray(at));
  }

  #closedError(): ConnectionError {
    return new ConnectionError("closed", `Could not write to ${this.remote}: it was closed here`);
  }
}

/** "10.0.0.7:7117", "[fd00::1]:7117". */
export function socketText(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
