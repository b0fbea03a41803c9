/** One event of a stream. */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

/**
 * Reads a stream of server-sent events piece by piece, wherever it is cut: each call answers the events that are complete by
 * now. `EventSource` would do it, but cannot send an API key. Ids and retry times are passed over: nobody here needs them.
 */
export function createEventReader(): (piece: string) => ServerSentEvent[] {
  let rest = '';
  let event = '';
  let data: string[] = [];

  function take(line: string, found: ServerSentEvent[]): void {
    if (line === '') {
      if (data.length > 0) found.push({ event: event || 'message', data: data.join('\n') });
      event = '';
      data = [];
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    if (field === 'data') data.push(value);
  }

  return (piece) => {
    const found: ServerSentEvent[] = [];
    rest += piece;
    // A CR at the end may be the first half of a CRLF.
    for (let end = /\r\n|\n|\r(?!$)/.exec(rest); end !== null; end = /\r\n|\n|\r(?!$)/.exec(rest)) {
      take(rest.slice(0, end.index), found);
      rest = rest.slice(end.index + end[0].length);
    }
    return found;
  };
}
