import { type Span, SpanStatusCode } from '@opentelemetry/api';

/** Runs `work` and ends the span with it. Of an error only its name is noted: a message might quote a value. */
export async function inSpan<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const name = error instanceof Error ? error.name : 'unknown';
    span.setAttribute('error.type', name).setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}
