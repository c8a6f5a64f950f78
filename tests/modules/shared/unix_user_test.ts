import assert from "node:assert/strict";
import { unixUser } from "../../../modules/shared/unix_user.ts";

Deno.test("unix user: a name, or the one in the certificate, and no number", () => {
  const { parse, letter } = unixUser("As this unix user");
  assert.equal(letter, "l");
  for (const name of ["root", "$user", "_apt", "Alice.b-2"]) assert.equal(parse(name), name);
  assert.throws(() => parse("65534"), {
    name: "UsageError",
    message: '"65534" is a number: users of nodes are named, not numbered',
  });
  for (const none of ["", "a b", "$other", "2nd", "a:b"]) {
    assert.throws(() => parse(none), {
      name: "UsageError",
      message: `"${none}" is no name of a user`,
    });
  }
});
