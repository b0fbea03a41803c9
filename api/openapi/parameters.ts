import { z } from 'zod';
import { collectionName, entryKey } from '../schemas/entry.ts';
import type { Node, SchemaComponents } from './components.ts';

interface PathParameter {
  readonly description: string;
  readonly schema: z.ZodType;
  readonly example: string;
}

/** What may stand in a path, by the name it has in routes. */
const PATH_PARAMETERS: Readonly<Record<string, PathParameter>> = {
  collection: { description: 'A configured collection.', schema: collectionName, example: 'carts' },
  key: {
    description: 'Percent-encoded: a `/` in a key is `%2F`, a `?` is `%3F`, a `%` is `%25`.',
    schema: entryKey,
    example: 'ada',
  },
  id: {
    description: 'The number of a dead letter.',
    schema: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
    example: '1',
  },
  workflowId: {
    description: 'The workflow that holds the batch: an explanation tells it.',
    schema: z.string().min(1),
    example: 'write-behind:p00:s03',
  },
};

/** The names of a route's path parameters, in order. */
export function parameterNames(path: string): string[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => name as string);
}

/**
 * A parameter of a path, with the value that examples use.
 * @throws TypeError for one that is not described above.
 */
export function pathParameter(name: string, example: string | undefined, schemas: SchemaComponents): Node {
  const parameter = PATH_PARAMETERS[name];
  if (parameter === undefined) throw new TypeError(`no description of the path parameter ${name}`);
  const { description, schema } = parameter;
  const text = example ?? parameter.example;
  return {
    name,
    in: 'path',
    required: true,
    description,
    schema: schemas.toNode(schema),
    example: schema instanceof z.ZodNumber ? Number(text) : text,
  };
}

/** The parameters of a query. Each is read as the type it has after its text was parsed. */
export function queryParameters(query: z.ZodObject, schemas: SchemaComponents): Node[] {
  return Object.entries(query.shape as Record<string, z.ZodType>).map(([name, member]) => {
    const { description, ...schema } = schemas.toNode(member, 'output');
    return {
      name,
      in: 'query',
      required: !member.safeParse(undefined).success,
      ...(description === undefined ? {} : { description }),
      schema,
    };
  });
}
