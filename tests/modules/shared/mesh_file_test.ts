import assert from "node:assert/strict";
import fc from "fast-check";
import { parsePolicy } from "../../../core/security/policy_file.ts";
import { UsageError } from "../../../core/errors.ts";
import { POLICY_ITEMS_MAX } from "../../../core/limits.ts";
import { type MeshFile, parseMeshFile } from "../../../modules/shared/mesh_file.ts";
import { meshSource } from "../../../modules/shared/mesh_file_build.ts";
import { parseNodeset } from "../../../modules/shared/nodeset.ts";

function read(text: string): MeshFile {
  return parseMeshFile(text, { file: "mesh.toml" });
}

/** The first lines of all problems: `line:column: what`. */
function problemsOf(text: string): string[] {
  try {
    read(text);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return error.message.split("\n")
      .filter((line) => line.startsWith("mesh.toml:"))
      .map((line) => line.slice("mesh.toml:".length));
  }
  assert.fail("The file was accepted");
}

const LAB = `name = "lab"
port = 7117

[defaults]
user = "alice"
groups = ["all"]

[[hosts]]
names = "n[01-03]"
address = "10.0.0.[11-13]"
groups = ["compute"]

[[hosts]]
names = "gw,io[1-2]"
address = "[fd00::1],fd00::[8-9]"
gateway = true
segment = "b"
port = 0
ssh_port = 2222
identity_file = "~/.ssh/lab"
home = "/srv/minime"
schedule = false
cpus = 4
listen = ["tcp:[::]:7200", "unix:/run/minime.sock"]

[[hosts]]
names = "bare"

[groups]
fast = "@compute!n03,io*"
spare = ""

[boot]
window = 8
connect_timeout = "5s"
timeout = "1m30s"
strict_host_key = "accept-new"

[[policy.allow]]
who = ["group:ops"]
verbs = ["*"]
on = ["*"]
as = ["root", "$user"]

[policy.limits]
clock_skew = "30s"
`;

Deno.test("mesh file: nodesets expand, defaults apply, groups are resolved", () => {
  const mesh = read(LAB);
  assert.equal(mesh.name, "lab");
  assert.deepEqual(mesh.hosts.map((host) => host.name), [
    "bare",
    "gw",
    "io1",
    "io2",
    "n01",
    "n02",
    "n03",
  ]);
  const host = (name: string) => mesh.hosts.find((each) => each.name === name);
  assert.deepEqual(host("n02"), {
    name: "n02",
    address: "10.0.0.12",
    user: "alice",
    port: 7117,
    groups: ["compute", "fast"],
    segment: "default",
    gateway: false,
    listen: [],
    launcher: "ssh",
    schedule: true,
  });
  assert.deepEqual(host("io1"), {
    name: "io1",
    address: "fd00::8",
    user: "alice",
    sshPort: 2222,
    identityFile: "~/.ssh/lab",
    port: 0,
    groups: ["all", "fast"],
    segment: "b",
    gateway: true,
    listen: ["tcp:[::]:7200", "unix:/run/minime.sock"],
    launcher: "ssh",
    home: "/srv/minime",
    schedule: false,
    cpus: 4,
  });
  assert.equal(host("bare")?.address, "bare");
  assert.deepEqual(mesh.groups, [
    { name: "all", members: ["bare", "gw", "io1", "io2"] },
    { name: "compute", members: ["n01", "n02", "n03"] },
    { name: "fast", members: ["io1", "io2", "n01", "n02"] },
    { name: "spare", members: [] },
  ]);
  assert.deepEqual(mesh.boot, {
    window: 8,
    connectTimeoutMs: 5_000,
    timeoutMs: 90_000,
    strictHostKey: "accept-new",
  });
  assert.equal(parsePolicy(mesh.policy).limits.clockSkewMs, 30_000);
});

Deno.test("mesh file: the smallest one", () => {
  const mesh = read('name = "m"\n[[hosts]]\nnames = "a"\n');
  assert.deepEqual(mesh.boot, {
    window: 32,
    connectTimeoutMs: 10_000,
    timeoutMs: 60_000,
    strictHostKey: "yes",
  });
  assert.equal(mesh.hosts[0]?.port, 0);
  assert.deepEqual(mesh.policy, {});
});

Deno.test("mesh file: many daemons on this machine need no addresses", () => {
  const mesh = read('name = "m"\n[[hosts]]\nnames = "n[1-4]"\nlauncher = "local"\n');
  assert.deepEqual(mesh.hosts.map((host) => `${host.name} ${host.address} ${host.port}`), [
    "n1 127.0.0.1 0",
    "n2 127.0.0.1 0",
    "n3 127.0.0.1 0",
    "n4 127.0.0.1 0",
  ]);
});

Deno.test("mesh file: addresses go with names in written order", () => {
  const pairs = (names: string, address: string) =>
    read(`name = "m"\n[[hosts]]\nnames = "${names}"\naddress = "${address}"\n`)
      .hosts.map((host) => `${host.name}=${host.address}`).join(" ");
  assert.equal(pairs("b,a", "10.0.0.1,10.0.0.2"), "a=10.0.0.2 b=10.0.0.1");
  assert.equal(pairs("n[1-2]", "[fd00::[1-2]]"), "n1=fd00::1 n2=fd00::2");
  assert.equal(pairs("n[1-4]", "[1-2]::[3-4]"), "n1=1::3 n2=1::4 n3=2::3 n4=2::4");
  assert.equal(pairs("n[1-2]", "[fe80::1%eth0], Host.Lan"), "n1=fe80::1%eth0 n2=Host.Lan");
});

Deno.test("mesh file: the result is frozen to its leaves", () => {
  const mesh = read(LAB);
  assert.ok(Object.isFrozen(mesh) && Object.isFrozen(mesh.hosts[0]?.groups));
  assert.ok(Object.isFrozen(mesh.groups[0]) && Object.isFrozen(mesh.policy["allow"]));
});

Deno.test("mesh file: a problem shows file, line, column, the line and a caret", () => {
  assert.throws(() => read('name = "m"\n[[hosts]]\nnames = "a"\n  usr = "alice"\n'), {
    name: "UsageError",
    message: "Cannot use mesh.toml: 1 problem\n" +
      'mesh.toml:4:3: Unknown key "usr", did you mean "user"?\n' +
      '    4 |   usr = "alice"\n' +
      "      |   ^",
  });
});

Deno.test("mesh file: all problems are told at once, sorted by place", () => {
  const text = `name = "Lab"
prot = 7117
[defaults]
usr = "alice"
ssh_port = 0
[[hosts]]
names = "n[01-"
[[hosts]]
names = "n[1-3]"
address = "10.0.0.[1-2]"
groups = ["ok", "Not OK", 5]
[[hosts]]
nmaes = "x"
listen = "tcp:1"
[[hosts]]
names = "x[1-3]"
launcher = "docker"
[groups]
io = "n[1-9"
a = "@b"
b = "@a"
"B C" = "n1"
five = 5
[boot]
window = 0
timeout = "soon"
[policy]
x = 1
[[policy.allow]]
who = ["group:ops"]
verbs = ["*"]
on = ["*"]
[[policy.allow]]
who = ["nobody"]
[policy.limits]
audit = "no"
`;
  assert.deepEqual(
    problemsOf(text),
    [
      '1:8: Key "name" must be a name (a-z, 0-9, and inside also . _ -), not "Lab"',
      '2:1: Unknown key "prot", did you mean "port"?',
      '4:1: Unknown key "usr", did you mean "user"?',
      '5:12: Key "ssh_port" must be a port from 1 to 65535, not 0',
      "7:11: Bracket is never closed",
      '11:17: Item 2 of "groups" must be a name (a-z, 0-9, and inside also . _ -), not "Not OK"',
      '11:27: Item 3 of "groups" must be a name (a-z, 0-9, and inside also . _ -), not 5',
      '12:1: Key "names" is missing',
      '13:1: Unknown key "nmaes", did you mean "names"?',
      '14:10: Key "listen" must be a list of endpoints, not "tcp:1"',
      '17:12: Key "launcher" must be "ssh" or "local", not "docker"',
      "19:8: Bracket is never closed",
      '21:6: Group "a" contains itself',
      '22:1: Group "B C" is no name (a-z, 0-9, and inside also . _ -)',
      '23:8: Group "five" must be a nodeset, not 5',
      '25:10: Key "window" must be a number of hosts from 1 to 1024, not 0',
      '26:11: Key "timeout" must be a duration such as "10s", not "soon"',
      "28:5: Policy policy.x: is unknown, known are allow, limits",
      "33:1: Policy allow[1].verbs: is missing: without it, the rule allows nothing",
      '36:9: Policy limits.audit: is "no", wanted is "required" or "optional"',
    ],
  );
});

Deno.test("mesh file: what only shows with all hosts known", () => {
  const host = (text: string) => `name = "m"\n[[hosts]]\n${text}\n`;
  const cases: [text: string, problem: string][] = [
    [host('names = "n[1-3],n2"'), '3:9: Host "n2" is named twice, first in line 3'],
    [
      host('names = "a"\n[[hosts]]\nnames = "b,a"'),
      '5:9: Host "a" is named twice, first in line 3',
    ],
    [host('names = "n[1-3]"\naddress = "h[1-2]"'), "4:11: There are 2 addresses for 3 names"],
    [host('names = "n1"\naddress = ""'), "4:11: There are no addresses for 1 name"],
    [host('names = ""'), "3:9: Names are empty"],
    [host('names = "N[1-3]"'), '3:9: "N1" is no name (a-z, 0-9, and inside also . _ -)'],
    [host('names = "a b!c"'), '3:13: Operator "!" cannot stand in a plain list'],
    [
      host('names = "n[1-3]"\nlauncher = "local"\nport = 7'),
      '3:9: Hosts "n1" and "n2" have the same address "127.0.0.1" and the same port 7; ' +
      "without a port each takes a free one",
    ],
    [
      host('names = "n[1-3]"\n[groups]\nio = "n[1-4],m3,n9"'),
      '5:6: Group "io" names "m3", which is no host (and 2 more), did you mean "n3"?',
    ],
    [host('names = "a"\n[groups]\nio = "@ip"'), '5:7: There is no group "ip", did you mean "io"?'],
    [host('names = "a"\n[groups]\nio = "@io"'), '5:7: Group "io" contains itself'],
    ['name = "m"\nhosts = []', "2:9: A mesh needs at least one host"],
    ['name = "m"', '1:1: Key "hosts" is missing'],
    ['name = "m"\nhosts = [1]', '2:10: Item 1 of "hosts" must be a table, not 1'],
    [host('names = "a"\n[[boot]]'), '4:3: Key "boot" must be a table, not a list'],
    [
      'name = "m"\ndefaults = 1979-05-27\n[[hosts]]\nnames="a"',
      '2:12: Key "defaults" must be a table, not a date',
    ],
    [
      host(
        `names = "a"\n[policy]\nallow = [${
          '{ who = ["group:a"], verbs = ["*"], on = ["*"] },'.repeat(POLICY_ITEMS_MAX + 1)
        }]`,
      ),
      `5:9: Policy allow: has ${POLICY_ITEMS_MAX + 1} items, ${POLICY_ITEMS_MAX} is the most`,
    ],
    [host('names = "a"\nconstructor = 1'), '4:1: Unknown key "constructor"'],
    [host('names = "a"\n"__proto__" = 1'), '4:1: Unknown key "__proto__"'],
  ];
  for (const [text, problem] of cases) assert.deepEqual(problemsOf(text), [problem], text);
});

Deno.test("mesh file: nothing in it can look like an option of ssh or a line of a terminal", () => {
  const host = (text: string) => problemsOf(`name = "m"\n[[hosts]]\nnames = "a"\n${text}\n`).join();
  assert.match(host('user = "-oProxyCommand=x"'), /^4:8: Key "user" must be a user's name/);
  assert.match(
    host('address = "-oProxyCommand=x"'),
    /^4:11: A name cannot start|^4:12: A name cannot start/,
  );
  assert.match(host('address = "a b c;d"'), /Unexpected ";"/);
  assert.match(host('identity_file = "-x"'), /Key "identity_file" must be a path/);
  assert.match(host('home = "/a\\nb"'), /Key "home" must be a path/);
  assert.match(host('listen = ["udp:1"]'), /Item 1 of "listen" must be an endpoint/);
  assert.match(host('listen = ["tcp:h:70000"]'), /Item 1 of "listen" must be an endpoint/);
  assert.match(host('listen = ["tcp:fd00::1:7117"]'), /Item 1 of "listen" must be an endpoint/);
});

Deno.test("mesh file: a syntax error has its place", () => {
  assert.throws(() => read('name = "m"\nport = = 5\n'), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /^Cannot use mesh\.toml: 1 problem\nmesh\.toml:2:\d+: [A-Z]/);
    assert.match(error.message, /\n {4}2 \| port = = 5\n/);
    return true;
  });
  assert.equal(problemsOf(`name = ${"[".repeat(500)}`).length, 1);
  for (const end of ["\n", "\r\n"]) {
    assert.throws(() => read(`name = "lab${end}port = 5${end}`), {
      message:
        "Cannot use mesh.toml: 1 problem\nmesh.toml:1:12: String is not closed on its line\n" +
        '    1 | name = "lab\n      |            ^',
    });
  }
});

Deno.test("mesh file: of very many problems the first ones are shown and the rest counted", () => {
  const rows = Array.from({ length: 50 }, () => '[[hosts]]\nnames = "-"\n').join("");
  assert.throws(() => read(`name = "m"\n${rows}`), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /^Cannot use mesh\.toml: 50 problems\n/);
    assert.match(error.message, /\n… and 30 more$/);
    return true;
  });
});

Deno.test("mesh file: sizes have limits", () => {
  assert.throws(() => read("#".repeat(5_000_000)), {
    name: "UsageError",
    message: "Cannot read mesh.toml: it has more than 4194304 characters",
  });
  assert.deepEqual(problemsOf('name = "m"\n[[hosts]]\nnames = "n[1-70000]"\n'), [
    "3:9: A mesh has at most 65536 hosts",
  ]);
});

Deno.test("mesh file: as the source of nodesets it knows groups and suggests", () => {
  const source = meshSource(read(LAB));
  assert.deepEqual(parseNodeset("@fast!n*", source), ["io1", "io2"]);
  assert.equal(parseNodeset("*", source).length, 7);
  assert.throws(
    () => parseNodeset("@fats", source),
    /There is no group "fats", did you mean "fast"\?/,
  );
  assert.throws(() => parseNodeset("@constructor", source), /There is no group "constructor"/);
});

Deno.test("mesh file: a damaged file is read or refused with a UsageError", () => {
  const pieces = [
    "",
    "[",
    "]",
    '"',
    "=",
    "\n",
    "1979-05-27",
    "{",
    "n[1-",
    "5",
    "\u001b",
    "@",
    "é",
    ".",
  ];
  fc.assert(
    fc.property(fc.nat(LAB.length), fc.nat(6), fc.constantFrom(...pieces), (at, cut, piece) => {
      try {
        read(LAB.slice(0, at) + piece + LAB.slice(at + cut));
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
        assert.match(error.message, /^Cannot use mesh\.toml: \d+ problems?\nmesh\.toml:\d+:\d+: /);
        assert.ok(!error.message.includes("\u001b"));
      }
    }),
    { seed: 2, numRuns: 3_000 },
  );
});
