import { z } from 'zod';

/** A part of the document. */
export type Node = Readonly<Record<string, unknown>>;

/** Turns zod schemas into JSON Schema, and keeps those that have an `id` as components of the document. */
export interface SchemaComponents {
  /** `input`: what a client may send. A query has its `output`: the type a text is read as, instead of its pattern. */
  toNode(schema: z.ZodType, side?: 'input' | 'output'): Node;
  /** Those referred to so far, by name. */
  all(): Readonly<Record<string, Node>>;
}

export function createSchemaComponents(): SchemaComponents {
  const components: Record<string, Node> = {};
  return {
    toNode(schema, side = 'input') {
      // Wrapped, so that a schema with an id is taken out of the wrapper like those inside of others.
      const { properties, $defs = {} } = z.toJSONSchema(z.object({ schema }), { io: side });
      for (const [name, definition] of Object.entries($defs)) components[name] = relocated(definition);
      return relocated(properties?.schema);
    },
    all: () => Object.fromEntries(Object.entries(components).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function relocated(schema: unknown): Node {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as Node;
}
