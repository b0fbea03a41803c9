import fc from 'fast-check';
import { resolved, type SchemaNode } from './openapi.ts';

/** Deeper, recursive schemas end. */
const MAX_DEPTH = 3;

/** Values that a schema of the document allows. Throws for keywords it does not know, rather than ignore them. */
export function arbitraryOf(schema: SchemaNode, depth = 0): fc.Arbitrary<unknown> {
  const { $ref, description: _, examples: __, default: ___, format: ____, not, ...own } = schema;
  if ($ref !== undefined) {
    return arbitraryOf({ ...resolved<SchemaNode>({ $ref: $ref as string }), ...own }, depth);
  }
  const values = ofType(own, depth);
  if (not === undefined) return values;
  const refused = (not as { readonly enum: readonly unknown[] }).enum;
  return values.filter((value) => !refused.includes(value));
}

function ofType(schema: SchemaNode, depth: number): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...(schema.enum as unknown[]));
  if ('const' in schema) return fc.constant(schema.const);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return anyOf(choices as SchemaNode[], depth);
  switch (schema.type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer({ min: schema.minimum as number, max: schema.maximum as number });
    case 'number':
      // Closer to 0, the exponent is past the limits of values.
      return fc
        .double({ noNaN: true, noDefaultInfinity: true })
        .filter((number) => number === 0 || Math.abs(number) >= 1e-307);
    case 'string':
      return text(schema);
    case 'array':
      return fc.array(arbitraryOf(schema.items as SchemaNode, depth + 1), {
        minLength: (schema.minItems as number | undefined) ?? 0,
        maxLength: 4,
      });
    case 'object':
      return object(schema, depth);
    default:
      throw new TypeError(`no values for ${JSON.stringify(schema)}`);
  }
}

function anyOf(schemas: readonly SchemaNode[], depth: number): fc.Arbitrary<unknown> {
  const flat = schemas.filter(({ type }) => type !== 'array' && type !== 'object');
  const usable = depth >= MAX_DEPTH && flat.length > 0 ? flat : schemas;
  return fc.oneof(...usable.map((schema) => arbitraryOf(schema, depth + 1)));
}

function text({ pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY }: SchemaNode) {
  const strings =
    pattern === undefined
      ? fc.string({ unit: 'binary', minLength: minLength as number, maxLength: 12 })
      : fc.stringMatching(new RegExp(pattern as string, 'u'));
  return strings.filter(
    (value) =>
      value.isWellFormed() &&
      value.length >= (minLength as number) &&
      [...value].length <= (maxLength as number),
  );
}

function object(schema: SchemaNode, depth: number): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], propertyNames, additionalProperties } = schema;
  if (propertyNames !== undefined) {
    const names = arbitraryOf(propertyNames as SchemaNode) as fc.Arbitrary<string>;
    return fc.dictionary(names, arbitraryOf(additionalProperties as SchemaNode, depth + 1), { maxKeys: 4 });
  }
  const members = Object.entries(properties as Record<string, SchemaNode>).map(([name, member]) => [
    name,
    arbitraryOf(member, depth + 1),
  ]);
  return fc.record(Object.fromEntries(members) as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: required as string[],
  });
}
