/**
 * A program that hears multicast DNS as any other one of a host does, at the address of all: prints
 * for each datagram that comes to its port, one line `FROM HEX`. Argument: our address.
 */

const [address = ""] = Deno.args;
const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const socket = Deno.listenDatagram({
  transport: "udp",
  hostname: "0.0.0.0",
  port: 5_353,
  reuseAddress: true,
});
await socket.joinMulticastV4("224.0.0.251", address);
print("listening");
for await (const [bytes, sender] of socket) {
  print(`${(sender as Deno.NetAddr).hostname} ${bytes.toHex()}`);
}
