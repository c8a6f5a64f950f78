import assert from "node:assert/strict";
import fc from "fast-check";
import { UsageError } from "../../../core/errors.ts";
import { parseBhost } from "../../../modules/shared/bhost.ts";
import { parseMeshFile } from "../../../modules/shared/mesh_file.ts";
import { formatMeshFile } from "../../../modules/shared/mesh_file_format.ts";

const OPTIONS = { file: "bhost.lam", name: "lam" };

Deno.test("bhost: hosts, attributes and comments become a mesh file", () => {
  const mesh = parseBhost(
    "# my cluster\r\nNode1.example.com  cpu=2 user=guest\r\n\n\thead schedule=no # no jobs\nn[1-2]",
    OPTIONS,
  );
  assert.equal(mesh.name, "lam");
  const base = {
    port: 0,
    groups: [],
    segment: "default",
    gateway: false,
    listen: [],
    launcher: "ssh",
  };
  assert.deepEqual(mesh.hosts, [
    { ...base, name: "head", address: "head", schedule: false },
    { ...base, name: "n1", address: "n1", schedule: true },
    { ...base, name: "n2", address: "n2", schedule: true },
    {
      ...base,
      name: "node1.example.com",
      address: "Node1.example.com",
      user: "guest",
      schedule: true,
      cpus: 2,
    },
  ]);
  assert.deepEqual(parseMeshFile(formatMeshFile(mesh), { file: "x" }).hosts, mesh.hosts);
});

Deno.test("bhost: a host that is listed again has more processors, as in LAM", () => {
  const mesh = parseBhost("a\na cpu=3\nb\nA", OPTIONS);
  assert.deepEqual(mesh.hosts.map((host) => [host.name, host.cpus]), [["a", 5], ["b", undefined]]);
});

Deno.test("bhost: every mistake is told with its place", () => {
  const text = "a cpu=x cpu=0\n b usr=x user= schedule=maybe cpu\nn[1\nhead\nhead user=x\nfd00::1";
  assert.throws(() => parseBhost(text, OPTIONS), (error) => {
    assert.ok(error instanceof UsageError);
    const told = error.message.split("\n").filter((line) => line.startsWith("bhost.lam:"));
    assert.deepEqual(told, [
      'bhost.lam:1:7: Attribute "cpu" must be a number of at least 1, not "x"',
      'bhost.lam:1:13: Attribute "cpu" must be a number of at least 1, not "0"',
      'bhost.lam:2:4: Unknown attribute "usr", did you mean "user"?',
      'bhost.lam:2:15: Attribute "user" must be a user\'s name, not ""',
      'bhost.lam:2:25: Attribute "schedule" must be "yes" or "no", not "maybe"',
      'bhost.lam:2:31: Attribute "cpu" has no value, write cpu=…',
      "bhost.lam:3:2: Bracket is never closed",
      'bhost.lam:5:1: Host "head" has another user in line 4',
      'bhost.lam:6:1: "fd00::1" is no name (a-z, 0-9, and inside also . _ -)',
    ]);
    return true;
  });
});

Deno.test("bhost: a file without hosts is refused", () => {
  assert.throws(
    () => parseBhost("# nothing\n", OPTIONS),
    /bhost\.lam:2:1: A mesh needs at least one host/,
  );
});

Deno.test("bhost: any text is read or refused with a UsageError", () => {
  const words = fc.array(
    fc.constantFrom(
      "a",
      "b[1-2]",
      "cpu=2",
      "user=x",
      "schedule=no",
      "#",
      "\n",
      " ",
      "=",
      "[",
      "@",
      "é",
      "\u001b",
    ),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(words, (list) => {
      try {
        assert.ok(parseBhost(list.join(""), OPTIONS).hosts.length > 0);
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
        assert.ok(!error.message.includes("\u001b"));
      }
    }),
    { seed: 1, numRuns: 2_000 },
  );
});
