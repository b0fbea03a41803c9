/** The bytes of bodies that some requests in flight may hold between them. */
export interface BodyBudget {
  readonly maxBytes: number;
  /** What an answer says past it. */
  readonly detail: string;
  /** By requests that have no answer yet. */
  heldBytes: number;
}

/** A body that is being read, or was. */
export interface CountedBody {
  /** What it counts in; only of routes that take one. */
  bodies?: BodyBudget;
  /** What of it counts there: as much as has arrived. */
  bodyBytes?: number;
}

export function budgetOf({ bodies }: CountedBody): BodyBudget {
  if (bodies === undefined) throw new Error('a route reads a body that its operation does not mention');
  return bodies;
}

/** Counts bytes that arrived; `false` where they may not be kept, since others hold what there is. */
export function holdBytes(body: CountedBody, budget: BodyBudget, bytes: number): boolean {
  if (budget.heldBytes + bytes > budget.maxBytes) return false;
  budget.heldBytes += bytes;
  body.bodyBytes = (body.bodyBytes ?? 0) + bytes;
  return true;
}

/** Gives back what a request holds, once it has its answer; until then it may need its body. */
export function giveBytesBack(body: CountedBody, budget: BodyBudget): void {
  budget.heldBytes -= body.bodyBytes ?? 0;
}
