import assert from "node:assert/strict";
import { findOwnHost, type MachineFacts } from "../../../modules/cli/own_host.ts";
import { parseMeshFile } from "../../../modules/shared/mesh_file.ts";

const mesh = parseMeshFile(
  `name = "lab"
[[hosts]]
names = "n[1-3]"
address = "10.0.0.[1-3]"
[[hosts]]
names = "twin[1-2]"
address = "10.0.0.[9,9]"
[[hosts]]
names = "head"
address = "login.example.com"
`,
  { file: "mesh.toml" },
);

function find(machine: Partial<MachineFacts>, name?: string): string {
  const wanted = name === undefined ? {} : { name };
  const facts = { hostName: "elsewhere", addresses: [], ...machine };
  return findOwnHost({ mesh, file: "mesh.toml", ...wanted }, facts).name;
}

Deno.test("own host: by what was said, by host name with or without domain, or by address", () => {
  assert.equal(find({ hostName: "n1" }, "n3"), "n3");
  assert.equal(find({ hostName: "n2" }), "n2");
  assert.equal(find({ hostName: "N2.rack1.example.com" }), "n2");
  assert.equal(find({ hostName: "login.example.com" }), "head");
  assert.equal(find({ addresses: ["192.0.2.7", "10.0.0.3"] }), "n3");
  // The name counts more than an address, which a machine may share.
  assert.equal(find({ hostName: "twin2", addresses: ["10.0.0.9"] }), "twin2");
});

Deno.test("own host: a stranger, somebody unknown, and several are told apart", () => {
  assert.throws(() => find({ addresses: ["192.0.2.7"] }), {
    name: "MinimeError",
    message:
      'This machine is no host of "mesh.toml": its name is "elsewhere", it has addresses 192.0.2.7; ' +
      "add it to the file, or say which host it is: --name head",
  });
  assert.throws(() => find({}), { message: /it has no address; add/ });
  assert.throws(() => find({}, "n4"), {
    message: /^There is no host "n4" in "mesh\.toml", did you mean "n1"/,
  });
  assert.throws(() => find({ addresses: ["10.0.0.9"] }), {
    message: 'This machine could be any of twin[1-2] in "mesh.toml"',
    hint: "Say which: --name twin1",
  });
});
