import type { z } from 'zod';
import type { Capability, CollectionAccess } from '../config/keys.ts';
import type { ApiDeps, ApiHandler } from './api-env.ts';
import type { ProblemCode } from './problem.ts';

/** The path of one entry. */
export const ENTRY_PATH = '/v1/collections/:collection/entries/:key';

/** A path as people know it: `/v1/collections/{collection}/entries/{key}`. */
export function pathTemplate(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}');
}

/**
 * One route: how it is reached, who may use it, what the OpenAPI document says of it, and what it does. Each is a file in
 * `routes/`, and all of them are in `all-routes.ts`.
 */
export interface Route {
  readonly method: 'get' | 'put' | 'patch' | 'delete' | 'post';
  /** As the router has it: parameters begin with `:`. */
  readonly path: string;
  /** What a request may have done that got no answer. */
  readonly effect: 'read' | 'write';
  /** What an API key must be allowed to use it: in the collection of the path where there is one. `public`: no key at all. */
  readonly access: 'public' | CollectionAccess | Capability;
  /** Answered however busy the process is. */
  readonly probe?: true;
  /** `null`: no part of the API, such as the files that a page asks for. */
  readonly operation: Operation | null;
  readonly handler: (deps: ApiDeps) => ApiHandler;
}

/** What the OpenAPI document says of a route; the fuzz test draws its requests from it and checks the answers. */
export interface Operation {
  /** In camelCase, unique: the `operationId`. */
  readonly id: string;
  readonly tag: 'Entries' | 'Collections' | 'Operations' | 'Codec' | 'Probes' | 'Documentation';
  readonly summary: string;
  /** Markdown. */
  readonly description?: string;
  /** Values of the path's parameters with which the examples work; else those of `openapi/parameters.ts`. */
  readonly at?: Readonly<Record<string, string>>;
  /** Each member may carry a `description` and `examples` by `.meta`. */
  readonly query?: z.ZodObject;
  /** Headers of the request that mean something here, beside those of every request. */
  readonly headers?: readonly RequestHeader[];
  readonly body?: RequestBody;
  /** By status; problems are not among them. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Beside those that every route may answer. */
  readonly problems: readonly ProblemCode[];
}

export type RequestHeader =
  | 'prefer'
  | 'if-match'
  | 'if-none-match'
  | 'if-none-match-read'
  | 'idempotency-key';

export interface RequestBody {
  readonly type: 'application/json' | 'application/merge-patch+json';
  readonly required: boolean;
  readonly schema: z.ZodType;
  /** By a name in words; each is a body that works as it is. */
  readonly examples: Readonly<Record<string, unknown>>;
}

export interface Answer {
  readonly description: string;
  /** Default: `application/json`. */
  readonly type?: string;
  /** Left out where there is no body. */
  readonly schema?: z.ZodType;
  readonly example?: unknown;
  readonly headers?: readonly AnswerHeader[];
}

export type AnswerHeader = 'etag' | 'cache-status' | 'preference-applied' | 'idempotent-replayed';
