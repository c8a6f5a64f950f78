import assert from "node:assert/strict";
import { toldEndpoints } from "../../../modules/cli/told_endpoints.ts";
import { parseMeshFile } from "../../../modules/shared/mesh_file.ts";

function told(text: string): string[] {
  const mesh = parseMeshFile(`name = "lab"\n${text}`, { file: "mesh.toml" });
  const [host] = mesh.hosts;
  assert.ok(host !== undefined);
  return toldEndpoints({ mesh, host }, {
    bound: ["tcp:[::]:7117"],
    network: { addresses: () => ["10.0.0.5", "fd00::5"] },
  });
}

const ROW = '[[hosts]]\nnames = "n1"\n';

Deno.test("told endpoints: what the file says, or its name", () => {
  assert.deepEqual(told(ROW), ["tcp:n1:7117"]);
  assert.deepEqual(told(`discover = true\n${ROW}address = "192.0.2.1"\n`), ["tcp:192.0.2.1:7117"]);
});

Deno.test("told endpoints: who looks around and has no address in the file tells its own first", () => {
  assert.deepEqual(told(`discover = true\n${ROW}`), [
    "tcp:10.0.0.5:7117",
    "tcp:[fd00::5]:7117",
    "tcp:n1:7117",
  ]);
});
