/** Every number that bounds something in the documents module, with its unit and its reason. */

/** Largest document: a revocation list of 10,000 keys. */
export const DOCUMENT_BYTES_MAX = 512 * 1024;
/** How long a neighbour may take to compare, to give or to take a document. */
export const EXCHANGE_MS_MAX = 10_000;
/** A neighbour that could not, is asked again after so long, as long as its link stands. */
export const RETRY_MS = 1_000;
