import type { Connection, ConnectionLike, ScheduleClient, WorkflowClient } from '@temporalio/client';

/** What can be called. Made for one deadline, and not to be kept beyond it. */
export interface TemporalCalls {
  readonly workflow: WorkflowClient;
  readonly schedule: ScheduleClient;
  /** The server's own API. */
  readonly service: ConnectionLike['workflowService'];
  readonly operatorService: ConnectionLike['operatorService'];
}

export interface TimelyCalls {
  /** Makes one or more calls that end within `ms` milliseconds together. Errors are the client's own: see `withDeadline`. */
  within<T>(ms: number, work: (calls: TemporalCalls) => Promise<T>): Promise<T>;
}

/**
 * Lets a connection hand a call's deadline and headers on without an AsyncLocalStorage. The first use of one makes Node
 * (before 24) follow every promise of the process from then on: a fifth of what GET, PUT and increment cost
 * (`docs/decisions/0018`). What the connection stores is read in the turn that stores it, when the call is made through
 * {@link timely}; nothing else may be asked of `withDeadline`.
 */
export function forgoAsyncContext({ callContextStorage }: Connection): void {
  type Context = ReturnType<typeof callContextStorage.getStore>;
  let current: Context;
  Object.assign(callContextStorage, {
    getStore: () => current,
    run<R>(context: Context, call: () => R): R {
      const outer = current;
      current = context;
      try {
        return call();
      } finally {
        current = outer;
      }
    },
  });
}

/** The connection as calls see it that must end by `deadline`, in milliseconds since 1970. */
export function timely(connection: Connection, deadline: number): ConnectionLike {
  const ending = <Service extends object>(service: Service): Service =>
    new Proxy(service, {
      get(_, name) {
        const method: unknown = Reflect.get(service, name);
        if (typeof method !== 'function') return method;
        return (...request: unknown[]) =>
          connection.withDeadline(deadline, () => method.apply(service, request));
      },
    });
  return Object.create(connection, {
    workflowService: { value: ending(connection.workflowService) },
    operatorService: { value: ending(connection.operatorService) },
  });
}
