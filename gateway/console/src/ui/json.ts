/** JSON as people write it: where it is wrong, and the learning rate that its parameters make (W3, W8). */

export type JsonFaultKind = "comma" | "colon" | "key" | "string" | "end" | "rest" | "value";

export interface JsonFault {
  /** From 1. */
  line: number;
  column: number;
  /** Characters before it. */
  at: number;
  /** What was expected there. */
  kind: JsonFaultKind;
}

// What browsers say, Chromium's engine first, then Firefox's.
const KINDS: [RegExp, JsonFaultKind][] = [
  [/Expected ',' or|expected ',' or/, "comma"],
  [/Expected ':'|expected ':'/, "colon"],
  [/property name/i, "key"],
  [/Unterminated string|control character|unterminated string|escape/i, "string"],
  [/Unexpected end|end of data/, "end"],
  [/after JSON|after JSON data/, "rest"],
];

/** The first fault of a JSON text; undefined if it is sound or empty. */
export function jsonFault(text: string): JsonFault | undefined {
  if (!text.trim()) return undefined;
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    const at = position(told, text);
    const before = text.slice(0, at).split("\n");
    return {
      line: before.length,
      column: (before.at(-1)?.length ?? 0) + 1,
      at,
      kind: KINDS.find(([said]) => said.test(told))?.[1] ?? "value",
    };
  }
}

function position(told: string, text: string): number {
  const offset = /position (\d+)/.exec(told)?.[1];
  if (offset !== undefined) return Number(offset);
  const place = /line (\d+) column (\d+)/.exec(told);
  if (place) {
    const lines = text.split("\n").slice(0, Number(place[1]) - 1);
    return lines.reduce((sum, line) => sum + line.length + 1, 0) + Number(place[2]) - 1;
  }
  // Chromium quotes the character it did not expect where the text is short, and does not say where.
  const token = /Unexpected token '(.)'/.exec(told)?.[1];
  const first = token === undefined ? -1 : text.indexOf(token);
  return first >= 0 && text.indexOf(token ?? "", first + 1) < 0 ? first : text.length;
}

export type JsonPath = (string | number)[];

/** `["classification", "max_iter"]` of the server's `training_params.classification.max_iter`. */
export function pathOf(field: string): JsonPath {
  return field
    .split(/[.[\]]+/)
    .filter((part) => part !== "")
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part))
    .filter((part, index) => index > 0 || !/^(model|training)_?params(_?json)?$/i.test(String(part)));
}

/** What may stand at a key, such as `classification.base_lr`. */
export interface Known {
  /** What is offered where the key is new. */
  standard: unknown;
  help?: string | undefined;
  options?: readonly string[] | undefined;
}

/** Every key of the image's own parameters, by its path. */
export function knownKeys(
  defaults: unknown,
  help: Partial<Record<string, string>>,
  options: Partial<Record<string, readonly string[]>>,
  at = "",
): Map<string, Known> {
  const found = new Map<string, Known>();
  if (typeof defaults !== "object" || defaults === null || Array.isArray(defaults)) return found;
  for (const [key, standard] of Object.entries(defaults)) {
    const path = at ? `${at}.${key}` : key;
    found.set(path, { standard, help: help[key], options: options[key] });
    for (const [inner, known] of knownKeys(standard, help, options, path)) found.set(inner, known);
  }
  return found;
}

/** Whether a text can be sent: it is JSON, and there is some. */
export function isSound(text: string): boolean {
  return text.trim() !== "" && !jsonFault(text);
}
