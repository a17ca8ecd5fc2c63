/** JSON texts that people write: their first fault, and the keys that they may have (W3, W8). */
import { parse, printParseErrorCode, type ParseError } from "jsonc-parser";

export type JsonFaultKind = "comma" | "colon" | "key" | "string" | "end" | "rest" | "value";

export interface JsonFault {
  /** From 1. */
  line: number;
  column: number;
  /** The offset in characters. */
  at: number;
  /** What was expected there. */
  kind: JsonFaultKind;
}

const KINDS: Partial<Record<string, JsonFaultKind>> = {
  CommaExpected: "comma",
  CloseBraceExpected: "comma",
  CloseBracketExpected: "comma",
  ColonExpected: "colon",
  PropertyNameExpected: "key",
  EndOfFileExpected: "rest",
  UnexpectedEndOfString: "string",
  InvalidUnicode: "string",
  InvalidEscapeCharacter: "string",
  InvalidCharacter: "string",
};

/** The first fault of a JSON text; undefined if it is valid or empty. `JSON.parse` decides whether a text is valid. */
export function jsonFault(text: string): JsonFault | undefined {
  if (!text.trim() || parses(text)) return undefined;
  const errors: ParseError[] = [];
  parse(text, errors, { disallowComments: true, allowTrailingComma: false });
  const at = errors[0]?.offset ?? text.length;
  const before = text.slice(0, at).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, at, kind: kindOf(errors, text) };
}

function kindOf(errors: readonly ParseError[], text: string): JsonFaultKind {
  const [first = "", second = ""] = errors.map(({ error }) => printParseErrorCode(error));
  const at = errors[0]?.offset ?? 0;
  if (first === "ValueExpected") return at >= text.trimEnd().length ? "end" : "value";
  if (first !== "InvalidSymbol" && first !== "InvalidCommentToken") return KINDS[first] ?? "value";
  // The token is not JSON: the next error, or the text before it, shows what was expected in its place.
  if (second === "PropertyNameExpected") return "key";
  const before = text.slice(0, at);
  if (parses(before)) return "rest";
  return second === "ValueExpected" || !before.trim() ? "value" : "comma";
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Parameters as a text that people edit, keys in order: the server sends a map, which has none of its own. */
export function textOf(params: unknown): string {
  return JSON.stringify(inOrder(params ?? {}), undefined, 2);
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, inner]) => [key, inOrder(inner)]),
  );
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

/** What is known of a key, such as `classification.base_lr`. */
export interface KnownKey {
  /** The value that completion inserts. */
  standard: unknown;
  help?: string | undefined;
  options?: readonly string[] | undefined;
}

/** All keys of default parameters, by path. */
export function knownKeys(
  defaults: unknown,
  help: Partial<Record<string, string>>,
  options: Partial<Record<string, readonly string[]>>,
  at = "",
): Map<string, KnownKey> {
  const found = new Map<string, KnownKey>();
  if (typeof defaults !== "object" || defaults === null || Array.isArray(defaults)) return found;
  for (const [key, standard] of Object.entries(defaults)) {
    const path = at ? `${at}.${key}` : key;
    found.set(path, { standard, help: help[key], options: options[key] });
    for (const [inner, known] of knownKeys(standard, help, options, path)) found.set(inner, known);
  }
  return found;
}

/** Whether a text can be sent: it is valid JSON and not empty. */
export function isSound(text: string): boolean {
  return text.trim() !== "" && !jsonFault(text);
}
