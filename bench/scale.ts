/**
 * How much is measured: `whole` is what the README tells, `quick` shows in a minute that a part works
 * from end to end. Figures of a quick run are worth nothing.
 */
export type Scale = "whole" | "quick";

/** A number of both. */
export type Scaled = Readonly<Record<Scale, number>>;
