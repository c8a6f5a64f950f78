import assert from "node:assert/strict";
import fc from "fast-check";
import { type MeshFile, type MeshHost, parseMeshFile } from "../../../modules/shared/mesh_file.ts";
import { formatMeshFile } from "../../../modules/shared/mesh_file_format.ts";

function read(text: string): MeshFile {
  return parseMeshFile(text, { file: "mesh.toml" });
}

/** As formatMeshFile writes it. */
const FOLDED = `name = "lab"

[[hosts]]
names = "bare"
user = "alice"
port = 7117

[[hosts]]
names = "gw,io[1-2]"
address = "fd00::1,fd00::[8-9]"
user = "alice"
ssh_port = 2222
identity_file = "~/.ssh/lab"
segment = "b"
gateway = true
listen = [ "tcp:[::]:7200", "unix:/run/minime.sock" ]
home = "/srv/minime"
schedule = false
cpus = 4
log_level = "debug"

[[hosts]]
names = "n[01-03]"
address = "10.0.0.[11-13]"
user = "alice"
port = 7117

[groups]
all = "bare,gw,io[1-2]"
compute = "n[01-03]"
fast = "io[1-2],n[01-02]"
spare = ""

[boot]
window = 8
connect_timeout = "5s"
timeout = "1m30s"
strict_host_key = "accept-new"

[hooks]
program = "/etc/minime/on-node"
events = [ "failure" ]
timeout = "5s"

[[policy.allow]]
who = [ "group:ops" ]
verbs = [ "*" ]
on = [ "*" ]
as = [ "root", "$user" ]

[policy.limits]
clock_skew = "30s"
`;

Deno.test("mesh file format: hosts are written folded, and what is built in is left out", () => {
  assert.equal(formatMeshFile(read(FOLDED)), FOLDED);
});

Deno.test("mesh file format: equal hosts of several rows become one, defaults and groups are worked in", () => {
  const mesh = read(`name = "m"
[defaults]
port = 7117
groups = ["all"]
[[hosts]]
names = "n3"
address = "10.0.0.3"
[[hosts]]
names = "n[1-2]"
address = "10.0.0.[1-2]"
[[hosts]]
names = "l[1-2]"
launcher = "local"
port = 0
`);
  assert.equal(
    formatMeshFile(mesh),
    `name = "m"

[[hosts]]
names = "l[1-2]"
launcher = "local"

[[hosts]]
names = "n[1-3]"
address = "10.0.0.[1-3]"
port = 7117

[groups]
all = "l[1-2],n[1-3]"
`,
  );
});

/** Any host that a mesh file can describe; addresses are made unique by the port. */
const host = fc.record({
  name: fc.tuple(fc.constantFrom("n", "r1n", "gw-"), fc.nat(30)).map(([head, index]) =>
    head + index
  ),
  address: fc.option(
    fc.constantFrom("10.0.0.", "fd00::", "h").chain((head) => fc.nat(20).map((i) => head + i)),
  ),
  user: fc.option(fc.constantFrom("alice", "bob")),
  sshPort: fc.option(fc.constantFrom(22, 2222)),
  segment: fc.constantFrom("default", "b"),
  gateway: fc.boolean(),
  innerAddress: fc.option(fc.nat(20).map((i) => `10.1.0.${i}`)),
  jumps: fc.array(fc.nat(), { maxLength: 2 }),
  schedule: fc.boolean(),
  launcher: fc.constantFrom<MeshHost["launcher"]>("ssh", "local"),
  groups: fc.subarray(["a", "b", "constructor"]),
});

Deno.test("mesh file format: what is written reads back to the same mesh", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(host, { minLength: 1, maxLength: 30, selector: ({ name }) => name }),
      (hosts) => {
        // The first hosts are reached directly, and others only through them.
        const firsts = hosts.filter(({ launcher }) => launcher === "ssh").slice(0, 3);
        const viaOf = ({ name, launcher, jumps }: (typeof hosts)[number]) =>
          launcher === "local" || firsts.some((first) => first.name === name)
            ? []
            : jumps.map((i) => firsts[i % firsts.length]?.name);
        const rows = hosts.map((row) =>
          `[[hosts]]\nnames = "${row.name}"\nvia = "${viaOf(row).join(",")}"\n` +
          (row.innerAddress === null ? "" : `inner_address = "${row.innerAddress}"\n`) +
          (row.address === null ? "" : `address = "${row.address}"\n`) +
          (row.user === null ? "" : `user = "${row.user}"\n`) +
          (row.sshPort === null ? "" : `ssh_port = ${row.sshPort}\n`) +
          `segment = "${row.segment}"\ngateway = ${row.gateway}\nschedule = ${row.schedule}\n` +
          `launcher = "${row.launcher}"\ngroups = ${JSON.stringify(row.groups)}\n`
        );
        const mesh = read(`name = "m"\n${rows.join("")}[boot]\nwindow = 3\n`);
        assert.equal(mesh.hosts.length, hosts.length);
        assert.deepEqual(read(formatMeshFile(mesh)), mesh);
      },
    ),
    { seed: 1, numRuns: 300 },
  );
});

Deno.test("mesh file: hooks are a program, for all events unless some are named", () => {
  const read = (rows: string) =>
    parseMeshFile(`name = "lab"\n[[hosts]]\nnames = "n1"\n[hooks]\n${rows}`, { file: "m" }).hooks;
  assert.deepEqual(read('program = "/bin/true"'), {
    program: "/bin/true",
    events: ["join", "leave", "failure"],
    timeoutMs: 30_000,
  });
  assert.deepEqual(read('program = "/bin/true"\nevents = ["join", "join"]\ntimeout = "1s"'), {
    program: "/bin/true",
    events: ["join"],
    timeoutMs: 1_000,
  });
  const wrong: [rows: string, message: RegExp][] = [
    ["", /m:4:1: Key "program" is missing/],
    ['program = "true"', /Key "program" must be an absolute path such as .*, not "true"/],
    ['program = "/x"\nevents = ["up"]', /Item 1 of "events" must be "join", "leave" or "failure"/],
    ['program = "/x"\nrun = 1', /Unknown key "run"/],
  ];
  for (const [rows, message] of wrong) assert.throws(() => read(rows), message);
});

Deno.test("mesh file: nodes look around only where it says so, and that is written again", () => {
  const rows = '[[hosts]]\nnames = "n1"\n';
  const read = (text: string) => parseMeshFile(`name = "lab"\n${text}${rows}`, { file: "m" });
  assert.equal(read("").discover, false);
  assert.doesNotMatch(formatMeshFile(read("")), /discover/);
  const mesh = read("discover = true\n");
  assert.equal(mesh.discover, true);
  assert.deepEqual(parseMeshFile(formatMeshFile(mesh), { file: "m" }), mesh);
  assert.throws(() => read('discover = "yes"\n'), /"discover" must be true or false, not "yes"/);
});
