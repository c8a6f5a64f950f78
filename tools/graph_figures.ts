/** Figures of a graph that is given as lists of neighbours: degree, distances, connectivity. Pure. */

export type Neighbours = readonly (readonly number[])[];

export interface GraphFigures {
  readonly nodes: number;
  readonly degreeMin: number;
  readonly degreeMean: number;
  readonly degreeMax: number;
  /** Infinity when some node cannot be reached from some other one. */
  readonly diameter: number;
  readonly distanceMean: number;
}

/** Breadth first from every node. */
export function figuresOf(graph: Neighbours): GraphFigures {
  const nodes = graph.length;
  const degrees = graph.map(({ length }) => length);
  let diameter = 0;
  let sum = 0;
  for (let start = 0; start < nodes; start++) {
    const distances = distancesFrom(graph, start);
    for (const distance of distances) {
      if (distance < 0) diameter = Infinity;
      else diameter = Math.max(diameter, distance);
      sum += distance;
    }
  }
  return {
    nodes,
    degreeMin: Math.min(...degrees),
    degreeMean: degrees.reduce((a, b) => a + b, 0) / nodes,
    degreeMax: Math.max(...degrees),
    diameter,
    distanceMean: nodes < 2 ? 0 : sum / (nodes * (nodes - 1)),
  };
}

/** -1 for nodes without a way. */
function distancesFrom(graph: Neighbours, start: number): Int32Array {
  const distances = new Int32Array(graph.length).fill(-1);
  const queue = new Int32Array(graph.length);
  distances[start] = 0;
  queue[0] = start;
  for (let head = 0, tail = 1; head < tail; head++) {
    const from = queue[head] as number;
    for (const to of graph[from] as readonly number[]) {
      if ((distances[to] as number) >= 0) continue;
      distances[to] = (distances[from] as number) + 1;
      queue[tail++] = to;
    }
  }
  return distances;
}

/**
 * How many nodes must go before some others are cut from each other; the number of nodes less one
 * for a full graph. Exact (S. Even, "An algorithm for determining whether the connectivity of a graph
 * is at least k", SIAM J. Comput. 4, 1975): the first k nodes in all pairs, then each later node with all
 * before it at once.
 */
export function vertexConnectivity(graph: Neighbours): number {
  const flow = new Flow(graph);
  let best = Math.min(...graph.map(({ length }) => length));
  while (best < graph.length - 1) {
    const found = weaker(graph, flow, best);
    if (found === undefined) return best;
    best = found;
  }
  return best;
}

/** A number of nodes below k that cuts the graph, or undefined: it is k-connected. */
function weaker(graph: Neighbours, flow: Flow, k: number): number | undefined {
  for (let a = 0; a < k; a++) {
    for (let b = a + 1; b < k; b++) {
      if ((graph[a] as readonly number[]).includes(b)) continue;
      const paths = flow.fromOne(a, b, k);
      if (paths < k) return paths;
    }
  }
  for (let node = k; node < graph.length; node++) {
    const paths = flow.fromAllBefore(node, k);
    if (paths < k) return paths;
  }
  return undefined;
}

/**
 * Disjoint paths as a flow of single units: each node is an entry and an exit with one unit between
 * them, each edge leads from exits to entries, and one more node can feed any entry.
 */
class Flow {
  readonly #feeder: number;
  /** For each state its edges: numbers; an edge and its reverse are 2 i and 2 i + 1. */
  readonly #edges: number[][];
  readonly #to: number[] = [];
  readonly #room: number[] = [];
  /** Edges whose room is not what it was in the beginning, with that. */
  readonly #touched = new Map<number, number>();
  /** By node: from the feeder to its entry. */
  readonly #feeds: number[] = [];
  /** How many nodes it feeds. */
  #fed = 0;
  readonly #cameBy: Int32Array;
  readonly #seenIn: Int32Array;
  #search = 0;

  constructor(graph: Neighbours) {
    const states = 2 * graph.length + 1;
    this.#feeder = states - 1;
    this.#edges = Array.from({ length: states }, () => []);
    this.#cameBy = new Int32Array(states);
    this.#seenIn = new Int32Array(states);
    graph.forEach((neighbours, node) => {
      this.#connect(2 * node, 2 * node + 1, 1);
      for (const to of neighbours) this.#connect(2 * node + 1, 2 * to, 1);
      this.#feeds.push(this.#connect(this.#feeder, 2 * node, 0));
    });
  }

  /** Paths from one node to one that it is not linked with, at most `max`. */
  fromOne(source: number, sink: number, max: number): number {
    return this.#fill(2 * source + 1, 2 * sink, max);
  }

  /** Paths to the node from nodes with smaller numbers, each of which begins one, at most `max`. */
  fromAllBefore(node: number, max: number): number {
    // Asked for one node after the other, it has one more to feed each time.
    while (this.#fed > node) this.#room[this.#feeds[--this.#fed] as number] = 0;
    while (this.#fed < node) this.#room[this.#feeds[this.#fed++] as number] = 1;
    return this.#fill(this.#feeder, 2 * node, max);
  }

  #fill(source: number, sink: number, max: number): number {
    let paths = 0;
    while (paths < max && this.#augment(source, sink)) paths++;
    for (const [edge, room] of this.#touched) this.#room[edge] = room;
    this.#touched.clear();
    return paths;
  }

  #augment(source: number, sink: number): boolean {
    const search = ++this.#search;
    const queue = [source];
    this.#seenIn[source] = search;
    for (let head = 0; head < queue.length; head++) {
      for (const edge of this.#edges[queue[head] as number] as readonly number[]) {
        const to = this.#to[edge] as number;
        if (this.#room[edge] === 0 || this.#seenIn[to] === search) continue;
        this.#seenIn[to] = search;
        this.#cameBy[to] = edge;
        if (to === sink) {
          this.#take(source, sink);
          return true;
        }
        queue.push(to);
      }
    }
    return false;
  }

  #take(source: number, sink: number): void {
    for (let at = sink; at !== source;) {
      const edge = this.#cameBy[at] as number;
      this.#setRoom(edge, (this.#room[edge] as number) - 1);
      this.#setRoom(edge ^ 1, (this.#room[edge ^ 1] as number) + 1);
      at = this.#to[edge ^ 1] as number;
    }
  }

  #setRoom(edge: number, room: number): void {
    if (!this.#touched.has(edge)) this.#touched.set(edge, this.#room[edge] as number);
    this.#room[edge] = room;
  }

  #connect(from: number, to: number, room: number): number {
    const edge = this.#to.push(to) - 1;
    this.#room.push(room);
    this.#to.push(from);
    this.#room.push(0);
    (this.#edges[from] as number[]).push(edge);
    (this.#edges[to] as number[]).push(edge + 1);
    return edge;
  }
}
