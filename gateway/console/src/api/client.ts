/** The client of the gateway. Paths, parameters, bodies and answers are typed by the gateway's OpenAPI document. */
import createClient, { createFinalURL, createQuerySerializer, defaultPathSerializer } from "openapi-fetch";
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

/** In a request, fields that are left out have the server's defaults. */
export type DeepPartial<T> = T extends (infer E)[]
  ? DeepPartial<E>[]
  : T extends object
    ? { [K in keyof T]?: DeepPartial<T[K]> }
    : T;

export interface CallOptions<O> {
  path?: PathParameters<O>;
  query?: Partial<QueryParameters<O>>;
  body?: Body<O>;
  /** Sent as If-Match: the state that the caller has seen. */
  etag?: string;
  /** Requests with the same key have the same result. */
  idempotencyKey?: string;
  signal?: AbortSignal;
}

/** A failed call with the gateway's problem document; `status` 0 means that no answer came. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem | undefined,
  ) {
    super(problem?.detail ?? `HTTP ${status}`);
    this.name = "ApiError";
  }

  /** Any other failure counts as no answer. */
  static of(failure: unknown): ApiError {
    return failure instanceof ApiError ? failure : new ApiError(0, undefined);
  }

  get reason(): string {
    return this.problem?.reason ?? (this.status === 0 ? "OFFLINE" : "UNKNOWN");
  }

  get violations(): Violation[] {
    return this.problem?.violations ?? [];
  }
}

/** Whether a repeated request may succeed: no answer came, or a service was unavailable. */
export function isTransient({ status }: ApiError): boolean {
  return status === 0 || status === 503;
}

/** The delay before a request is repeated after a transient failure. */
export const RETRY_MS = 4000;

/** Longer than the gateway allows for any request: after this time the connection counts as broken. */
const TIME_LIMIT_MS = 45_000;

/** An event of the window: somebody has logged in again, and refused requests can be repeated. */
export const SIGNED_IN = "loupe-signed-in";

const ENTRANCES: ReadonlySet<string> = new Set(["/v1/session", "/v1/whoami"]);

let signedOut = false;
let onSignedOut: () => void = () => undefined;

/** Sets the callback for the end of the session. */
export function whenSignedOut(tell: () => void): void {
  onSignedOut = tell;
}

const querySerializer = (query: Record<string, unknown>) =>
  createQuerySerializer()(Object.fromEntries(Object.entries(query).filter(([, value]) => value !== "")));

/** The address of an operation, for links, pictures and streams. */
export function address(
  template: keyof paths,
  path: Record<string, string> = {},
  query: Record<string, unknown> = {},
): string {
  return createFinalURL(template, {
    baseUrl: "",
    params: { path, query },
    querySerializer,
    pathSerializer: defaultPathSerializer,
  });
}

const gateway = createClient<paths>({
  baseUrl: window.location.origin,
  headers: { "X-Loupe-Client": "console" },
  querySerializer,
  fetch: (request) => fetch(request),
});

gateway.use({
  onRequest: ({ schemaPath }) => {
    // Each refused request is an entry in the audit log, so pages that poll send nothing until the next log-in.
    if (signedOut && !ENTRANCES.has(schemaPath)) throw new ApiError(401, undefined);
  },
  onResponse: async ({ response, schemaPath }) => {
    if (response.ok) return;
    // A refusal whose body cannot be read is still a refusal.
    const problem = (await response.json().catch(() => undefined)) as Problem | undefined;
    if (response.status === 401 && schemaPath !== "/v1/session") {
      signedOut = true;
      onSignedOut();
    }
    throw new ApiError(response.status, problem);
  },
});

async function call<P extends keyof paths, M extends Method>(
  method: M,
  template: P,
  { path, query, body, etag, idempotencyKey, signal }: CallOptions<Operation<P, M>> = {},
): Promise<Answer<Operation<P, M>>> {
  const limit = new AbortController();
  const cut = () => {
    limit.abort();
  };
  const timer = setTimeout(cut, TIME_LIMIT_MS);
  signal?.addEventListener("abort", cut);
  try {
    signal?.throwIfAborted();
    const init = {
      params: { path, query },
      body,
      headers: {
        ...(etag ? { "If-Match": `"${etag}"` } : {}),
        ...(idempotencyKey ? { "Idempotency-Key": idempotencyKey } : {}),
      },
      signal: limit.signal,
    };
    const { data } = (await gateway.request(method, template as never, init as never)) as {
      data: Answer<Operation<P, M>>;
    };
    if (template === "/v1/whoami" && signedOut) {
      signedOut = false;
      window.dispatchEvent(new Event(SIGNED_IN));
    }
    return data;
  } catch (failure) {
    // An incomplete answer counts as no answer.
    throw signal?.aborted ? failure : ApiError.of(failure);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cut);
  }
}

export const api = {
  get: <P extends keyof paths>(template: P, options?: CallOptions<Operation<P, "get">>) =>
    call("get", template, options),
  post: <P extends keyof paths>(template: P, options?: CallOptions<Operation<P, "post">>) =>
    call("post", template, options),
  patch: <P extends keyof paths>(template: P, options?: CallOptions<Operation<P, "patch">>) =>
    call("patch", template, options),
  delete: <P extends keyof paths>(template: P, options?: CallOptions<Operation<P, "delete">>) =>
    call("delete", template, options),
};
