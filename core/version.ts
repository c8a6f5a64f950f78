/** The program's version, in the one place where it is written. */
export const VERSION = "0.1.0";
