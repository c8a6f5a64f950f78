import assert from "node:assert/strict";
import { isHost, parseForwards, targetText } from "../../../modules/forward/forward_spec.ts";

Deno.test("forward spec: ports, addresses to listen on, names, IPv4 and IPv6", () => {
  assert.deepEqual(parseForwards(["8080", "n2:localhost:80", "*:0", "gw.a:10.0.0.7:22"]), [
    { listen: { host: "127.0.0.1", port: 8080 }, node: "n2", host: "localhost", port: 80 },
    { listen: { host: "0.0.0.0", port: 0 }, node: "gw.a", host: "10.0.0.7", port: 22 },
  ]);
  const [six] = parseForwards(["[::1]:65535", "n2:[fd00::7]:443"]);
  assert.deepEqual(six, {
    listen: { host: "::1", port: 65_535 },
    node: "n2",
    host: "fd00::7",
    port: 443,
  });
  assert.equal(targetText(six!), "n2:[fd00::7]:443");
  assert.equal(parseForwards(["0.0.0.0:1", "n1:a-b.c:2"])[0]?.listen.host, "0.0.0.0");
});

Deno.test("forward spec: what cannot be meant is refused with what would be right", () => {
  const wrongListen = [
    "",
    "x",
    "-1",
    "65536",
    "a:",
    ":80",
    "::1:80",
    "[::1]",
    "[x]:80",
    "a b:80",
    "1.5",
  ];
  for (const text of wrongListen) {
    assert.throws(() => parseForwards([text, "n1:h:1"]), (error: Error) => {
      assert.match(error.message, /is no (port|address) to listen on$/, text);
      assert.equal(
        (error as Error & { hint: string }).hint,
        "Write [BIND:]LOCALPORT NODE:HOST:PORT, as in: 8080 n2:localhost:80",
      );
      return true;
    });
  }
  const wrongTarget = [
    ...["", "n2", "n2:80", "n2::80", "n2:h:0", "n2:h:x", "n2:h:65536", ":h:80", "N2:h:80"],
    ...["n2:fd00::1:80", "n2:[h]:80", "n2:[fd00::1:80", "n2:a b:80", "n2:-h:80", "n2:h/x:80"],
  ];
  for (const text of wrongTarget) {
    assert.throws(
      () => parseForwards(["80", text]),
      { name: "UsageError", message: `"${text}" is no destination` },
      text,
    );
  }
  assert.throws(() => parseForwards(["80", "n1:h:1", "81"]), {
    message: '"81" has no destination',
  });
  assert.throws(
    () => parseForwards(Array.from({ length: 130 }, (_, i) => i % 2 === 0 ? "0" : "n1:h:1")),
    { message: "65 forwards at once, 64 is the most" },
  );
});

Deno.test("forward spec: a host is a name or an address and nothing else", () => {
  for (const host of ["a", "a.b", "a-1", "10.0.0.1", "::1", "fd00::1", "::ffff:10.0.0.1", "x_y"]) {
    assert.ok(isHost(host), host);
  }
  for (
    const host of ["", "-a", "a-", ".", "a b", "a:b:g", "a/b", "[::1]", "a\n", "x".repeat(254), "*"]
  ) {
    assert.ok(!isHost(host), host);
  }
});
