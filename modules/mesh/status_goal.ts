/** What `minime status --wait` waits for: "healthy", "up=N" or "up=all". */

import { UsageError } from "../../core/mod.ts";
import { differenceNames, foldNodeset } from "../shared/nodeset.ts";
import type { MeshStatus } from "./status.ts";
import { plural } from "../shared/plural.ts";

export interface StatusGoal {
  /** As it follows "the mesh is". */
  readonly text: string;
  /** What is lacking as a sentence; undefined: the goal is reached. */
  lacks(status: MeshStatus): string | undefined;
}

/** @throws UsageError */
export function parseStatusGoal(text: string): StatusGoal {
  if (text === "healthy") return { text: "healthy", lacks: whatIsWrong };
  if (text === "up=all") return { text: "up as a whole", lacks: whoIsNotUp };
  const count = /^up=([1-9]\d{0,5})$/.exec(text)?.[1];
  if (count === undefined) {
    throw new UsageError(`"${text}" is nothing to wait for`, {
      hint: "Write healthy, up=all, or up=N with the number of nodes",
    });
  }
  const wanted = Number(count);
  const lacks = (status: MeshStatus) => {
    const up = upNames(status).length;
    return up >= wanted ? undefined : `${up} of ${plural(wanted, "node")} up`;
  };
  return { text: `up with ${plural(wanted, "node")}`, lacks };
}

function whatIsWrong({ problems }: MeshStatus): string | undefined {
  if (problems.length === 0) return undefined;
  return problems.length === 1 ? "1 thing is wrong" : `${problems.length} things are wrong`;
}

function whoIsNotUp(status: MeshStatus): string | undefined {
  const wanted = status.nodes.map(({ view }) => view).filter(({ state }) => state !== "left");
  const names = [...wanted, ...status.missing].map(({ name }) => name);
  const absent = differenceNames(names, upNames(status));
  return absent.length === 0 ? undefined : `not up: ${foldNodeset(absent)}`;
}

/** Of nodes that answer: one that is frozen is not up for anybody who waits for it. */
function upNames({ nodes }: MeshStatus): string[] {
  return nodes.filter(({ view, silence }) => view.state === "up" && silence === undefined)
    .map(({ view }) => view.name);
}
