import { serve } from '@hono/node-server';
import type { Hono } from 'hono';

/** The paths of Holdfast, so that every system is sent the same bytes. */
export const ENTRY = '/v1/collections/:collection/entries/:key';

/** Listens on PORT of the loopback address, until SIGTERM. `/livez` answers once it does. */
export function listen(app: Hono): void {
  app.get('/livez', (c) => c.text('ok'));
  serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT) });
  process.on('SIGTERM', () => process.exit(0));
}
