import assert from "node:assert/strict";
import { formatEndpoint, parseEndpoint } from "../../../core/conduit/endpoint.ts";

Deno.test("endpoint: is read as it is written", () => {
  for (
    const [text, host, port] of [
      ["tcp:10.0.0.1:7117", "10.0.0.1", 7117],
      ["tcp:[::]:0", "::", 0],
      ["tcp:[fe80::1%eth0]:65535", "fe80::1%eth0", 65_535],
      ["tcp:n1.rack_2.example-net.org:1", "n1.rack_2.example-net.org", 1],
    ] as const
  ) {
    const address = parseEndpoint(text);
    assert.deepEqual(address, { transport: "tcp", host, port });
    assert.equal(formatEndpoint(address), text);
  }
  const unix = parseEndpoint("unix:/run/a folder/sock");
  assert.deepEqual(unix, { transport: "unix", path: "/run/a folder/sock" });
  assert.equal(formatEndpoint(unix), "unix:/run/a folder/sock");
});

Deno.test("endpoint: what is none is refused with the reason, and quoted so that it does no harm", () => {
  const long = "a".repeat(254);
  for (
    const [text, why] of [
      ["http:host:1", 'it starts with neither "tcp:" nor "unix:/"'],
      ["unix:relative", 'it starts with neither "tcp:" nor "unix:/"'],
      ["tcp:host", "it has no port"],
      ["tcp:host:", '"" is not a port'],
      ["tcp:host:1e3", '"1e3" is not a port'],
      ["tcp:host:65536", '"65536" is not a port'],
      ["tcp:::1:7117", "an IPv6 address needs brackets"],
      ["tcp:[]:7117", "it has no host"],
      ["tcp:a b:1", "its host is neither a name nor an address"],
      ["tcp:a\n:1", "its host is neither a name nor an address"],
      ["tcp:-oProxyCommand=x:1", "its host is neither a name nor an address"],
      ["tcp:a;b:1", "its host is neither a name nor an address"],
      [`tcp:${long}:1`, "its host is neither a name nor an address"],
    ] as const
  ) {
    assert.throws(() => parseEndpoint(text), (error: Error) => {
      assert.equal(error.name, "UsageError");
      assert.ok(error.message.endsWith(` is not usable: ${why}`), error.message);
      assert.match(error.message, /^Endpoint "[ -~…]+" is/);
      return true;
    });
  }
});
