import assert from "node:assert/strict";
import { matchesCommand } from "../../../core/security/command_pattern.ts";

type Case = readonly [pattern: string, argv: readonly string[], wanted: boolean];

function check(cases: readonly Case[]): void {
  for (const [pattern, argv, wanted] of cases) {
    assert.equal(matchesCommand(pattern, argv), wanted, `${pattern} on ${JSON.stringify(argv)}`);
  }
}

Deno.test("command pattern: commands are matched word by word", () => {
  check([
    ["hostname", ["hostname"], true],
    ["hostname", ["hostname", "evil"], false],
    ["hostname", ["hostname evil"], false],
    ["hostname", [], false],
    ["/usr/bin/lscpu *", ["/usr/bin/lscpu"], true],
    ["/usr/bin/lscpu *", ["/usr/bin/lscpu", "-e", "x; rm -rf /"], true],
    ["/usr/bin/lscpu *", ["/usr/bin/lscpu2"], false],
    ["cat /var/log/*", ["cat", "/var/log/messages"], true],
    ["cat /var/log/*", ["cat", "/var/log/a", "/etc/shadow"], false],
    ["kill -* 1", ["kill", "-HUP", "1"], true],
    ["kill * 1", ["kill", "-HUP", "1"], true],
    ["kill * 1", ["kill", "1"], false],
    ["*", ["anything"], true],
    ["*", ["anything", "more"], false],
    ["  id   -u ", ["id", "-u"], true],
    ["", [], true],
    ["", ["x"], false],
    ["a.c", ["abc"], false],
  ]);
});

Deno.test("command pattern: a star leads out of no folder, by a longer path, a parent or nothing", () => {
  check([
    ["/srv/tools/*", ["/srv/tools/run"], true],
    ["/srv/tools/*", ["/srv/tools/..run"], true],
    ["/srv/tools/*", ["/srv/tools/../../bin/sh"], false],
    ["/srv/tools/*", ["/srv/tools/sub/run"], false],
    ["/srv/tools/*", ["/srv/tools/.."], false],
    ["/srv/tools/*", ["/srv/tools/."], false],
    ["/srv/tools/.*", ["/srv/tools/.."], false],
    ["/srv/tools/*", ["/srv/tools/"], false],
    ["/srv/*/run", ["/srv/../run"], false],
    ["/srv/*/run", ["/srv//run"], false],
    ["/srv/*/run", ["/srv/a/run"], true],
    ["/srv/*/../run", ["/srv/a/../run"], true],
    ["*/run", ["/run"], false],
    ["*/run", ["a/run"], true],
    ["ls /srv/*", ["ls", "/srv/../etc"], false],
    ["ls /srv/*", ["ls", "/srv/a"], true],
    ["ls --at=/srv/*", ["ls", "--at=/srv/../etc"], false],
    ["ls --at=/srv/*", ["ls", "--at=/srv/a"], true],
    ["ls ./*/", ["ls", "./a/"], true],
  ]);
});

Deno.test("command pattern: a program without a slash is none with one, whatever a star stands for", () => {
  check([
    ["sh*", ["sha256sum"], true],
    ["sh*", ["sh/../../bin/x"], false],
    ["sh*=*", ["sh=/../bin/x"], false],
    ["ls srv*", ["ls", "srv/../../etc"], false],
    ["ls .*", ["ls", ".."], false],
    ["ls .*", ["ls", ".a"], true],
  ]);
});

Deno.test("command pattern: what is written out fits itself, and a star alone fits anything", () => {
  check([
    ["/srv/../bin/x -- ..", ["/srv/../bin/x", "--", ".."], true],
    ["/srv/../bin/x", ["/bin/x"], false],
    ["ls *", ["ls", "..", "-R", "/etc"], true],
    ["ls * x", ["ls", "../..", "x"], true],
    ["make --name=*", ["make", "--name=../a=b"], true],
    ["make --name=*", ["make", "--name/=x"], false],
    ["make --name=*", ["make", "--name"], false],
    ["make *=x", ["make", "a=x"], true],
    ["make *=x", ["make", "a=b=x"], true],
  ]);
});
