import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { type Api, createApi } from '../model/call.ts';

/** The API, as whoever looks at the page may use it. */
export const ApiContext = createContext<Api>(createApi(undefined));

/** The API of the part of the page that asks. */
export function useApi(): Api {
  return useContext(ApiContext);
}
