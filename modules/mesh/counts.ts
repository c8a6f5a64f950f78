/** What the mesh module counts about itself, for `mesh.stats`. */

export interface MeshCounts {
  /** Adverts pushed to neighbours, and their bytes. */
  advertsSent: number;
  advertBytesSent: number;
  /** Adverts of which neighbours were told no more than that they are there. */
  offersSent: number;
  /** Adverts that came from neighbours, pushed or asked for, and their bytes. */
  advertsReceived: number;
  advertBytesReceived: number;
  /** Of those, how many told something new, and how many were refused. */
  advertsNew: number;
  advertsRefused: number;
  /** Not taken because their node says too much. */
  advertsExcess: number;
  /** Own adverts made. */
  advertsOwn: number;
  /** Comparisons with a neighbour when a link came up, and bytes of answers to questions. */
  syncs: number;
  fetchBytesSent: number;
  dials: number;
  dialsFailed: number;
  /** Links given up because their peer was silent. */
  linksSilent: number;
}

export function newCounts(): MeshCounts {
  return {
    advertsSent: 0,
    advertBytesSent: 0,
    offersSent: 0,
    advertsReceived: 0,
    advertBytesReceived: 0,
    advertsNew: 0,
    advertsRefused: 0,
    advertsExcess: 0,
    advertsOwn: 0,
    syncs: 0,
    fetchBytesSent: 0,
    dials: 0,
    dialsFailed: 0,
    linksSilent: 0,
  };
}
