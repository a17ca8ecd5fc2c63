/** JSON as people write it: where it is wrong, and the learning rate that its parameters make (W3, W8). */

export interface JsonFault {
  line: number;
  column: number;
  text: string;
}

/** The first fault of a JSON text, by line and column from 1; undefined if it is sound or empty. */
export function jsonFault(text: string): JsonFault | undefined {
  if (!text.trim()) return undefined;
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    const position = /position (\d+)/.exec(told)?.[1];
    const at = position === undefined ? text.length : Number(position);
    const before = text.slice(0, at).split("\n");
    return {
      line: before.length,
      column: (before.at(-1)?.length ?? 0) + 1,
      text: told.replace(/ in JSON at position.*| \(line.*\)/, ""),
    };
  }
}

export interface Schedule {
  base_lr: number;
  max_iter: number;
  lr_policy: string;
  power: number;
  gamma: number;
}

/** The schedule in one network's parameters, or undefined where they are not complete. */
export function scheduleOf(params: unknown): Schedule | undefined {
  if (typeof params !== "object" || params === null) return undefined;
  const given = params as Record<string, unknown>;
  const number = (name: string, otherwise: number) => (typeof given[name] === "number" ? given[name] : otherwise);
  const schedule = {
    base_lr: number("base_lr", Number.NaN),
    max_iter: number("max_iter", Number.NaN),
    lr_policy: typeof given["lr_policy"] === "string" ? given["lr_policy"] : "",
    power: number("power", 1),
    gamma: number("gamma", 1),
  };
  const known = ["fixed", "exp", "inv", "poly"].includes(schedule.lr_policy);
  return known && schedule.base_lr > 0 && schedule.max_iter >= 1 ? schedule : undefined;
}

/** The learning rate at iteration `i` from 0, as the source document's policies define it. */
export function learningRate({ base_lr, max_iter, lr_policy, power, gamma }: Schedule, i: number): number {
  switch (lr_policy) {
    case "exp":
      return base_lr * gamma ** i;
    case "inv":
      return base_lr * (1 + gamma * i) ** -power;
    case "poly":
      return base_lr * (1 - i / max_iter) ** power;
    default:
      return base_lr;
  }
}
