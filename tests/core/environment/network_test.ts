/** Dialing and listening, in both environments. */
import assert from "node:assert/strict";
import type { Address } from "../../../core/environment/environment.ts";
import { ConnectionError, type ConnectionReason } from "../../../core/errors.ts";
import { connected, LISTENERS, type Stage, STAGES } from "./stages.ts";

for (const [name, play] of STAGES) {
  const test = (text: string, scenario: (stage: Stage) => Promise<void>) =>
    Deno.test(`${name} network: ${text}`, () => play(scenario));

  for (const [transport, address] of LISTENERS) {
    test(`fails to listen on a taken ${transport} address`, async (stage) => {
      const { network } = stage.environment;
      const listener = await network.listen(address(stage));
      await assert.rejects(network.listen(listener.address), (error) => {
        assert.ok(error instanceof ConnectionError);
        assert.equal(error.reason, "address-taken");
        assert.match(
          error.message,
          /^Could not listen on ".+": (the address is taken|another process listens there)$/,
        );
        return true;
      });
      // And the first one still works.
      const [dialer, accepted] = await Promise.all([
        network.dial(listener.address),
        listener.accept(),
      ]);
      for (const each of [dialer, accepted, listener]) each.close();
    });

    test(`ends accept when the ${transport} listener is closed`, async (stage) => {
      const listener = await stage.environment.network.listen(address(stage));
      assert.equal(listener.closed, false);
      const failed = assert.rejects(
        listener.accept(),
        /Could not accept on ".+": the listener is closed$/,
      );
      listener.close();
      listener.close();
      assert.equal(listener.closed, true);
      await failed;
      await assert.rejects(listener.accept(), /Could not accept on ".+": the listener is closed$/);
    });

    test(`refuses dials to a ${transport} address where nobody listens any more`, async (stage) => {
      const { network } = stage.environment;
      const listener = await network.listen(address(stage));
      listener.close();
      await rejectsWith("refused", network.dial(listener.address));
    });

    test(`gives a dial over ${transport} up before it starts when its signal has aborted`, async (stage) => {
      const { network } = stage.environment;
      const listener = await network.listen(address(stage));
      const reason = new Error("Enough");
      const dialing = network.dial(listener.address, { signal: AbortSignal.abort(reason) });
      await assert.rejects(dialing, reason);
      listener.close();
    });

    test(`is not disturbed by a signal that aborts after a dial over ${transport}`, async (stage) => {
      const { network } = stage.environment;
      const listener = await network.listen(address(stage));
      const control = new AbortController();
      const [dialer, accepted] = await Promise.all([
        network.dial(listener.address, { signal: control.signal }),
        listener.accept(),
      ]);
      control.abort();
      await dialer.write(new Uint8Array([7]));
      assert.equal(await accepted.read(new Uint8Array(2)), 1);
      for (const each of [dialer, accepted, listener]) each.close();
    });
  }

  test("gives port 0 a port and tells it", async ({ environment: { network } }) => {
    const address: Address = { transport: "tcp", host: "127.0.0.1", port: 0 };
    const [one, other] = [await network.listen(address), await network.listen(address)];
    assert.ok(one.address.transport === "tcp" && other.address.transport === "tcp");
    assert.ok(one.address.port > 0);
    assert.notEqual(one.address.port, other.address.port);
    one.close();
    other.close();
  });

  test("accepts on every address when it listens on 0.0.0.0", async ({ environment: { network } }) => {
    const listener = await network.listen({ transport: "tcp", host: "0.0.0.0", port: 0 });
    assert.ok(listener.address.transport === "tcp");
    const { port } = listener.address;
    for (const host of ["127.0.0.1", "localhost", ...network.addresses().slice(0, 1)]) {
      const [dialer, accepted] = await Promise.all([
        network.dial({ transport: "tcp", host, port }),
        listener.accept(),
      ]);
      dialer.close();
      accepted.close();
    }
    listener.close();
  });

  test("says that a name is unknown", async ({ environment: { network } }) => {
    const dialing = network.dial({ transport: "tcp", host: "no-such-host.invalid", port: 1 });
    const error = await rejectsWith("unknown-name", dialing);
    assert.equal(error.message, 'Could not dial "no-such-host.invalid:1": no such host name');
  });

  test("says which dial was refused", async ({ environment: { network } }) => {
    const error = await rejectsWith(
      "refused",
      network.dial({ transport: "tcp", host: "127.0.0.1", port: 1 }),
    );
    assert.equal(error.message, 'Could not dial "127.0.0.1:1": connection refused');
  });

  test("says that there is no socket at a path", async ({ environment: { network }, folder }) => {
    const path = `${folder}/none`;
    const error = await rejectsWith("refused", network.dial({ transport: "unix", path }));
    assert.equal(error.message, `Could not dial "unix:${path}": there is no such socket`);
  });

  test("makes a unix socket that only its owner can use, and removes it", async (stage) => {
    const { environment: { network, files }, folder } = stage;
    const path = `${folder}/socket`;
    const listener = await network.listen({ transport: "unix", path });
    const facts = await files.facts(path);
    assert.equal(facts?.kind, "socket");
    assert.equal(facts?.mode, 0o600);
    assert.deepEqual(await files.list(folder), ["socket"]);
    listener.close();
    assert.deepEqual(await files.list(folder), []);
  });

  test("does not listen over something that is no socket", async (stage) => {
    const { environment: { network, files }, folder } = stage;
    const path = `${folder}/notes`;
    await files.write(path, "precious");
    const error = await rejectsWith("address-taken", network.listen({ transport: "unix", path }));
    assert.equal(
      error.message,
      `Could not listen on "unix:${path}": there is something that is no socket`,
    );
    assert.equal(await files.readText(path), "precious");
    assert.deepEqual(await files.list(folder), ["notes"]);
  });

  test("leaves a path alone at close when it is another's by then", async (stage) => {
    const { environment: { network, files }, folder } = stage;
    const path = `${folder}/socket`;
    const listener = await network.listen({ transport: "unix", path });
    await files.remove(path);
    const successor = await network.listen({ transport: "unix", path });
    listener.close();
    const [dialer, accepted] = await Promise.all([
      network.dial({ transport: "unix", path }),
      successor.accept(),
    ]);
    for (const each of [dialer, accepted, successor]) each.close();
  });

  test("says where it cannot listen", async ({ environment: { network }, folder }) => {
    await assert.rejects(network.listen({ transport: "tcp", host: "203.0.113.9", port: 0 }), {
      name: "ConnectionError",
      message: 'Could not listen on "203.0.113.9:0": cannot assign requested address',
    });
    const path = `${folder}/none/socket`;
    await assert.rejects(network.listen({ transport: "unix", path }), {
      name: "NotFoundError",
      message: `Could not listen on "unix:${path}": its folder does not exist`,
    });
  });

  test("keeps accepted pipes when the listener is closed", async (stage) => {
    const { dialer, accepted } = await connected(stage, LISTENERS[0]![1](stage));
    await accepted.write(new Uint8Array([1, 2]));
    assert.equal(await dialer.read(new Uint8Array(9)), 2);
    dialer.close();
    accepted.close();
  });

  test("gives addresses that others can dial", ({ environment: { network } }) => {
    for (const address of network.addresses()) assert.doesNotMatch(address, /^127\.|^::1$|^fe80/);
    return Promise.resolve();
  });
}

async function rejectsWith(
  reason: ConnectionReason,
  promise: Promise<unknown>,
): Promise<ConnectionError> {
  const error = await promise.then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof ConnectionError, String(error));
  assert.equal(error.reason, reason);
  return error;
}
