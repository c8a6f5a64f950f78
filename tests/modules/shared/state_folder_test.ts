import assert from "node:assert/strict";
import {
  findSocket,
  installedStateRoot,
  localNodes,
  makeStateFolder,
  statePaths,
  stateRoot,
} from "../../../modules/shared/state_folder.ts";
import { makePlace, type Place } from "./place.ts";

const LONG = "a".repeat(60);

function longPaths(place: Place) {
  return statePaths(stateRoot(place.env), LONG, LONG);
}

Deno.test("state folder: holds everything under fixed names, private", async () => {
  using place = makePlace();
  const root = stateRoot(place.env);
  const paths = statePaths(root, "lab", "n1");
  assert.equal(paths.folder, `${place.folder}/.local/state/minime/lab/n1`);
  assert.equal(await findSocket(place.env, paths), undefined);
  const { socket, elsewhere } = await makeStateFolder(place.env, paths);
  assert.deepEqual([socket, elsewhere], [`${paths.folder}/sock`, undefined]);
  assert.equal(await findSocket(place.env, paths), socket);
  assert.equal((Deno.lstatSync(paths.folder).mode ?? 0) & 0o777, 0o700);
  assert.deepEqual([paths.pid, paths.log, paths.audit], [
    `${paths.folder}/pid`,
    `${paths.folder}/log`,
    `${paths.folder}/audit`,
  ]);
  assert.deepEqual((await localNodes(place.env, "lab"))[0], { name: "n1", paths });
});

Deno.test("state folder: an installed daemon of root has the system's, unless told otherwise", () => {
  using root = makePlace({ HOME: "{folder}" }, { uid: 0 });
  assert.equal(installedStateRoot(root.env), "/var/lib/minime");
  using user = makePlace({ HOME: "{folder}" }, { uid: 1000 });
  assert.equal(installedStateRoot(user.env), stateRoot(user.env));
  using told = makePlace({ XDG_STATE_HOME: "{folder}" }, { uid: 0 });
  assert.equal(installedStateRoot(told.env), `${told.folder}/minime`);
});

Deno.test("state folder: a socket whose path would be too long lies in the runtime folder, and clients find it", async () => {
  using place = makePlace({ HOME: "{folder}", XDG_RUNTIME_DIR: "{folder}" });
  const paths = longPaths(place);
  const { socket, elsewhere } = await makeStateFolder(place.env, paths);
  assert.match(socket, new RegExp(`^${place.folder}/minime/[0-9a-f]{16}\\.sock$`));
  assert.equal(
    elsewhere,
    `The socket lies at "${socket}", because "${paths.folder}/sock" is longer than 107 bytes`,
  );
  using listener = Deno.listen({ transport: "unix", path: socket });
  assert.equal(listener.addr.transport, "unix");
  // The client may run without the daemon's XDG_RUNTIME_DIR.
  using other = makePlace({ HOME: place.folder });
  assert.equal(await findSocket(other.env, paths), socket);
});

Deno.test("state folder: without a runtime folder the socket lies in a private folder of /tmp", async () => {
  using place = makePlace({ HOME: "{folder}", XDG_RUNTIME_DIR: "{folder}/missing" });
  const paths = longPaths(place);
  const { socket } = await makeStateFolder(place.env, paths);
  assert.equal(socket.slice(0, socket.lastIndexOf("/")), `/tmp/minime-${place.env.processes.uid}`);
  assert.equal(await findSocket(place.env, paths), socket);
});

Deno.test("state folder: two daemons with long names have two sockets", async () => {
  using place = makePlace({ HOME: "{folder}", XDG_RUNTIME_DIR: "{folder}" });
  const first = await makeStateFolder(place.env, statePaths(stateRoot(place.env), LONG, "n1"));
  const second = await makeStateFolder(place.env, statePaths(stateRoot(place.env), LONG, "n2"));
  assert.notEqual(first.socket, second.socket);
});

Deno.test("state folder: a folder that others may enter is refused, by daemon and client", async () => {
  using place = makePlace();
  const paths = statePaths(stateRoot(place.env), "lab", "n1");
  await makeStateFolder(place.env, paths);
  Deno.chmodSync(paths.folder, 0o711);
  const refusal = {
    message: `"${paths.folder}" is open to others (mode 0711): run: chmod 700 ${paths.folder}`,
  };
  await assert.rejects(makeStateFolder(place.env, paths), refusal);
  await assert.rejects(findSocket(place.env, paths), refusal);
});

Deno.test("state folder: names that could leave the root are refused", () => {
  assert.throws(() => statePaths("/s", "lab", "../n1"), {
    message: /^Node is no name: "\.\.\/n1"/,
  });
  assert.throws(() => statePaths("/s", "", "n1"), { message: /^Mesh is no name: ""/ });
});
