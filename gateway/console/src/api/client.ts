/** Calls the gateway by its own description: a path, its parameters and its body are checked by the compiler. */
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Problem = Schemas["Problem"];
export type Violation = Schemas["Violation"];

type Method = "get" | "post" | "patch" | "delete";
type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;
type PathParameters<O> = O extends { parameters: { path: infer R } } ? R : object;
type QueryParameters<O> = O extends { parameters: { query?: infer R } } ? NonNullable<R> : object;
type Body<O> = O extends { requestBody?: { content: { "application/json": infer R } } } ? DeepPartial<R> : never;
type Answer<O> = O extends { responses: { 200: { content: { "application/json": infer R } } } } ? R : never;

/** In a request whatever is not told is the server's default. */
export type DeepPartial<T> = T extends (infer E)[]
  ? DeepPartial<E>[]
  : T extends object
    ? { [K in keyof T]?: DeepPartial<T[K]> }
    : T;

export interface CallOptions<O> {
  path?: PathParameters<O>;
  query?: Partial<QueryParameters<O>>;
  body?: Body<O>;
  /** The state that was seen: If-Match. */
  etag?: string;
  /** The same key gives the same result. */
  idempotencyKey?: string;
  signal?: AbortSignal;
}

/** What went wrong, as the gateway told it; `status` 0 is no answer at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem | undefined,
  ) {
    super(problem?.detail ?? `HTTP ${status}`);
    this.name = "ApiError";
  }

  get reason(): string {
    return this.problem?.reason ?? (this.status === 0 ? "OFFLINE" : "UNKNOWN");
  }

  get violations(): Violation[] {
    return this.problem?.violations ?? [];
  }
}

let onSignedOut: () => void = () => undefined;

/** Whom to tell when the session is over. */
export function whenSignedOut(tell: () => void): void {
  onSignedOut = tell;
}

/** The address of an operation, for links, pictures and streams. */
export function address(
  template: keyof paths,
  path: Record<string, string> = {},
  query: Record<string, unknown> = {},
): string {
  const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? ""));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined && item !== "") search.append(name, String(item));
    }
  }
  const text = search.toString();
  return text ? `${filled}?${text}` : filled;
}

async function call<P extends keyof paths, M extends Method>(
  method: M,
  template: P,
  options: CallOptions<Operation<P, M>> = {},
): Promise<Answer<Operation<P, M>>> {
  const headers: Record<string, string> = { "X-Loupe-Client": "console" };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.etag) headers["If-Match"] = `"${options.etag}"`;
  if (options.idempotencyKey) headers["Idempotency-Key"] = options.idempotencyKey;
  let response: Response;
  try {
    response = await fetch(address(template, options.path as Record<string, string>, options.query), {
      method: method.toUpperCase(),
      headers,
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal: options.signal ?? null,
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, undefined);
  }
  if (response.ok) return (await response.json()) as Answer<Operation<P, M>>;
  const problem = (await response.json().catch(() => undefined)) as Problem | undefined;
  if (response.status === 401 && template !== "/v1/session") onSignedOut();
  throw new ApiError(response.status, problem);
}

export const api = {
  get: <P extends keyof paths>(template: P, options?: CallOptions<Operation<P, "get">>) => call("get", template, options),
  post: <P extends keyof paths>(template: P, options?: CallOptions<Operation<P, "post">>) =>
    call("post", template, options),
  patch: <P extends keyof paths>(template: P, options?: CallOptions<Operation<P, "patch">>) =>
    call("patch", template, options),
  delete: <P extends keyof paths>(template: P, options?: CallOptions<Operation<P, "delete">>) =>
    call("delete", template, options),
};
