import assert from "node:assert/strict";
import { UsageError } from "../../../core/errors.ts";
import { type MeshFile, parseMeshFile } from "../../../modules/shared/mesh_file.ts";
import { jumpsTo, lonelySegments } from "../../../modules/shared/mesh_file_jumps.ts";

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

const SEGMENTS = `name = "m"
[[hosts]]
names = "gw[1-2]"
address = "192.0.2.[1-2]"
inner_address = "[fd00::[1-2]]"
segment = "a"
gateway = true
[[hosts]]
names = "a[1-2]"
address = "10.0.0.[1-2]"
port = 7117
segment = "a"
via = "gw2,gw1"
[[hosts]]
names = "b1"
address = "10.0.0.1"
port = 7117
segment = "b"
via = "a1"
`;

Deno.test("mesh file: hosts behind others, in the order in which those are tried", () => {
  const mesh = read(SEGMENTS.replace("gw2,gw1", "gw2,gw1,gw2"));
  const host = (name: string) => mesh.hosts.find((each) => each.name === name);
  assert.deepEqual(host("gw2")?.innerAddress, "fd00::2");
  assert.equal(host("gw2")?.via, undefined);
  assert.deepEqual(host("a1")?.via, ["gw2", "gw1"]);
  // Addresses behind different gateways have nothing to do with each other.
  assert.deepEqual([host("a1")?.address, host("b1")?.address], ["10.0.0.1", "10.0.0.1"]);
  const hosts = new Map(mesh.hosts.map((each) => [each.name, each]));
  assert.deepEqual(mesh.hosts.map((each) => jumpsTo(each, hosts)), [1, 1, 2, 0, 0]);
  assert.deepEqual(lonelySegments(mesh.hosts), ["b"]);
  assert.deepEqual(lonelySegments(mesh.hosts.filter(({ segment }) => segment === "b")), []);
});

Deno.test("mesh file: ways that lead nowhere are told where they are written", () => {
  const file = (...rows: string[]) =>
    `name = "m"\n${rows.map((row) => `[[hosts]]\n${row}\n`).join("")}`;
  const cases: [text: string, problems: string[]][] = [
    [
      file('names = "n[1-3]"\nvia = "gx1,x"', 'names = "gw1"'),
      ['4:7: "gx1" is no host, did you mean "gw1"?'],
    ],
    [
      file('names = "n[1-3]"\nvia = "n2"'),
      ['4:7: Host "n2" cannot be reached through itself'],
    ],
    [
      file('names = "a"\nvia = "b"', 'names = "b"\nvia = "c"', 'names = "c"\nvia = "a"'),
      [
        '4:7: Host "a" cannot be reached through "b", "c" and so itself',
        '7:7: Host "b" cannot be reached through "c", "a" and so itself',
        '10:7: Host "c" cannot be reached through "a", "b" and so itself',
      ],
    ],
    [
      file(
        ...[0, 1, 2, 3, 4, 5, 6].map((i) => `names = "n${i}"\nvia = "n${i + 1}"`),
        'names = "n7"',
      ),
      [
        '4:7: Host "n0" is reached through more than 4 others',
        '7:7: Host "n1" is reached through more than 4 others',
        '10:7: Host "n2" is reached through more than 4 others',
      ],
    ],
    [
      file('names = "a"\nvia = "b"\nlauncher = "local"', 'names = "b"'),
      ['4:7: Host "a" runs on this machine, nothing lies between'],
    ],
    [
      file('names = "a"\nvia = "b"', 'names = "b"\nlauncher = "local"'),
      ['4:7: Host "b" runs on this machine, ssh does not jump through it'],
    ],
    [file('names = "a"\nvia = "b["', 'names = "b"'), ["4:9: Bracket is never closed"]],
    [file('names = "a"\nvia = ["b"]'), [
      '4:7: Key "via" must be a nodeset such as "n[1-16]", not a list',
    ]],
    [
      file('names = "a[1-2]"\ninner_address = "10.0.0.1"'),
      ["4:17: There is 1 address for 2 names"],
    ],
    [file('names = "a"\ninner_address = "-x"'), ['4:18: A name cannot start with "-"']],
    [
      `name = "m"\n[defaults]\nvia = "gx"\n[[hosts]]\nnames = "a"\n[[hosts]]\nnames = "gw"\nvia = ""\n`,
      ['3:7: "gx" is no host, did you mean "gw"?'],
    ],
  ];
  for (const [text, problems] of cases) assert.deepEqual(problemsOf(text), problems, text);
});
