import { temporal } from '@temporalio/proto';

const { History } = temporal.api.history.v1;

export type History = temporal.api.history.v1.IHistory;

/**
 * A history as plain JSON that reads well in a diff: enums by name, payloads in base64. Not the SDK's own
 * `historyToJSON`: that fails where npm installs protobufjs more than once, which it does beside `@grpc/grpc-js`.
 */
export function historyToJson(history: History): unknown {
  const plain = History.toObject(History.fromObject(history), {
    enums: String,
    longs: String,
    bytes: String,
  });
  return JSON.parse(JSON.stringify(plain, withoutStackTrace));
}

/** A stack trace names folders of the machine that recorded it, and replay does not look at it. */
function withoutStackTrace(name: string, value: unknown): unknown {
  return name === 'stackTrace' ? '' : value;
}

/** The inverse of {@link historyToJson}. */
export function historyFromJson(json: unknown): History {
  return History.fromObject(json as Record<string, unknown>);
}
