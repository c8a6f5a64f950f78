/** The logger that a part of the daemon is given: where its lines go is the program's business. */

/** As in the log's own lines; each includes those after it. */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** Never throws and never waits. `fields` is plain data for programs. */
export type Log = (
  level: LogLevel,
  text: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;
