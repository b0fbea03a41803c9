import { type Operation, pathTemplate, type Route } from '../route.ts';
import { createSchemaComponents, type Node } from './components.ts';
import { operationNode, type Shared } from './operation.ts';

/** That of package.json. */
const API_VERSION = '0.1.0';

const DESCRIPTION = `Redis speed, database safety: writes go to Redis and are carried to PostgreSQL by Temporal workflows.

Every \`GET\` is answered as \`HEAD\` too: the same headers, no body. Every answer carries \`X-Request-Id\`. Errors are problem
details (RFC 9457) with a stable \`code\`. What is no HTTP at all, headers above 16 KiB (\`431\`) and requests that do not arrive
in time (\`408\`) are answered by a problem as well, and the connection ends.

Clients should ignore members of answers that they do not know: there will be more.`;

const TAGS: Readonly<Record<Operation['tag'], string>> = {
  Entries: 'Values under keys: read, written, counted.',
  Collections: 'What is configured.',
  Operations: 'What operators decide about single writes.',
  Codec: 'For the Web UI and the command line of Temporal.',
  Probes: 'For supervisors and load balancers.',
  Documentation: 'This document, and a page that shows it.',
};

/** The OpenAPI 3.1 document of these routes. */
export function openApiDocument(routes: readonly Route[]): Node {
  const shared: Shared = { schemas: createSchemaComponents(), responses: {}, headers: {}, parameters: {} };
  const paths: Record<string, Record<string, Node>> = {};
  const tags = new Set<Operation['tag']>();
  for (const route of routes) {
    const { operation } = route;
    if (operation === null) continue;
    const path = pathTemplate(route.path);
    paths[path] = { ...paths[path], [route.method]: operationNode(route, operation, shared) };
    tags.add(operation.tag);
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Holdfast',
      version: API_VERSION,
      summary: 'A persistence service: Redis → Temporal → PostgreSQL.',
      description: DESCRIPTION,
    },
    // Wherever the document came from.
    servers: [{ url: '/' }],
    tags: [...tags].map((name) => ({ name, description: TAGS[name] })),
    paths,
    components: {
      schemas: shared.schemas.all(),
      responses: shared.responses,
      parameters: shared.parameters,
      headers: shared.headers,
      securitySchemes: {
        apiKey: {
          type: 'http',
          scheme: 'bearer',
          description:
            'An API key. An operation names the scope it needs: `read`, `write`, `ops`, `codec` or `metrics`. A server without keys in its settings asks for none.',
        },
      },
    },
  };
}
