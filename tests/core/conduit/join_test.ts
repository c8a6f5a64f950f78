// Who joins with a token, over real sockets: what both ends prove, and what is refused.

import assert from "node:assert/strict";
import { toHex } from "../../../core/wire/bytes.ts";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { dialRegistrar, joinSecretOf, type JoinToken } from "../../../core/mod.ts";
import { CONDUIT_KIND, encodePreamble } from "../../../core/security/hello.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { preambleOf, RawPeer } from "../../support/raw_peer.ts";
import { until } from "../../support/wait.ts";
import { makeKeys, Party } from "./parties.ts";

const SECRET = new Uint8Array(16).fill(7);

async function scene() {
  const clock = new ManualClock();
  const keys = await makeKeys(clock);
  const { primitives } = keys;
  const secret = joinSecretOf(primitives, SECRET);
  const registrar = new Party({
    keys,
    clock,
    self: keys.person({ name: "reg" }),
    joining: (id) => toHex(id) === toHex(secret.id) ? secret : undefined,
  });
  const endpoint = await registrar.listen();
  const token: JoinToken = {
    secret: SECRET,
    rootPublicKey: keys.rootPublicKey,
    registrarKeyId: registrar.self.identity.keyId,
    expiresMs: clock.now() + 1_000,
    mesh: "lab",
    name: "n9",
    endpoints: [endpoint],
  };
  const real = createRealEnvironment();
  const join = (change: Partial<JoinToken> = {}) => {
    const wanted = { ...token, ...change };
    return dialRegistrar({ clock, network: real.network, random: real.random }, primitives, {
      rootPublicKey: wanted.rootPublicKey,
      name: wanted.name,
      secret: joinSecretOf(primitives, wanted.secret),
      expect: { keyId: wanted.registrarKeyId },
      keys: { signSeed: new Uint8Array(32).fill(1), dhSecret: new Uint8Array(32).fill(2) },
      endpoint,
      signal: new AbortController().signal,
    });
  };
  return { clock, keys, registrar, endpoint, secret, join };
}

Deno.test("join: who holds the token is known by it, and by the keys that they ask for", async () => {
  const { registrar, keys, secret, join } = await scene();
  await using _registrar = registrar;
  const calls = await join();
  await until(() => registrar.conduits.length > 0, "the registrar has it");
  const peer = registrar.conduits[0]?.peer;
  assert.equal(peer?.kind, "joiner");
  if (peer?.kind !== "joiner") return;
  assert.equal(peer.token, toHex(secret.id));
  const { signPublicKey } = peer.request;
  assert.deepEqual(signPublicKey, keys.primitives.signPublicKey(new Uint8Array(32).fill(1)));
  await calls.close("done");
});

Deno.test("join: an unknown token, another root and another registrar are refused", async () => {
  const { clock, registrar, join } = await scene();
  await using _registrar = registrar;
  // A stranger gets no byte back.
  await assert.rejects(join({ secret: new Uint8Array(16) }), { name: "ConnectionError" });
  await until(() => registrar.logged.length === 1, "it was noticed");
  assert.match(registrar.logged[0] ?? "", /names an unknown PSK/);
  const foreign = await makeKeys(clock);
  await assert.rejects(join({ rootPublicKey: foreign.rootPublicKey }));
  await assert.rejects(join({ registrarKeyId: "ab".repeat(32) }), {
    name: "AuthenticationError",
    message: /^Dialled key abab.* and met/,
  });
  assert.equal(registrar.conduits.length, 0);
});

Deno.test("join: a certificate is no request, and a request for other keys is none either", async () => {
  const { keys, registrar, endpoint, secret, join } = await scene();
  await using _registrar = registrar;
  const preamble = encodePreamble({ kind: CONDUIT_KIND.join, pskId: secret.id });
  const node = keys.person({ name: "n2" });
  const { network } = createRealEnvironment();
  const [host = "", port = ""] = endpoint.slice("tcp:".length).split(":");
  const pipe = await network.dial({ transport: "tcp", host, port: Number(port) });
  const raw = new RawPeer("initiator", { keys, self: node, pipe, preamble, psk: secret.psk });
  await raw.begin();
  await raw.present();
  const { ready, reason, text } = await raw.verdict();
  assert.deepEqual([ready, reason], [false, "chain"]);
  assert.match(text, /^Who joins shows a request for a certificate, signed by its own key$/);
  pipe.close();
  await until(() => registrar.logged.length > 0, "it was noticed");
  assert.equal(registrar.conduits.length, 0);
  // With the mesh's own PSK nobody joins: kinds are not mixed.
  assert.notDeepEqual(preambleOf(keys), preamble);
  await (await join()).close("done");
});
