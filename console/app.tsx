import { useMemo, useState } from 'preact/hooks';
import { createApi } from './model/call.ts';
import { keepKey, readKey } from './model/key.ts';
import { ApiContext } from './parts/api-context.ts';
import { Board } from './parts/board.tsx';
import { KeyForm } from './parts/key-form.tsx';
import { useFollow } from './parts/use-follow.ts';
import { downOf, useReadiness } from './parts/use-readiness.ts';
import { VerdictBanner } from './parts/verdict-banner.tsx';

/** The page: a question for a key where the API wants one, else all there is to see. */
export function App() {
  // An object, so that the same key can be tried once more.
  const [access, setAccess] = useState(() => ({ key: readKey(sessionStorage) }));
  const { key } = access;
  const api = useMemo(() => createApi(access.key), [access]);
  const { summary, samples, connection, receivedAt } = useFollow(api);
  const readiness = useReadiness(api);
  const changeKey = (next: string | undefined) => {
    keepKey(sessionStorage, next);
    setAccess({ key: next });
  };
  if (connection.state === 'locked') {
    const refusal = key === undefined && connection.status === 401 ? undefined : connection.why;
    return (
      <KeyForm asks={key !== undefined || connection.status === 401} refusal={refusal} onKey={changeKey} />
    );
  }
  return (
    <ApiContext.Provider value={api}>
      <VerdictBanner
        summary={summary}
        connection={connection}
        receivedAt={receivedAt}
        down={downOf(readiness)}
        onForget={key === undefined ? undefined : () => changeKey(undefined)}
      />
      {summary === undefined ? null : <Board summary={summary} samples={samples} readiness={readiness} />}
    </ApiContext.Provider>
  );
}
