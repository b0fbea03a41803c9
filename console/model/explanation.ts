import { jsonMembers } from './json-members.ts';

/** What one place holds of an entry. */
export interface Copy {
  readonly version: string;
  readonly deleted: boolean;
  /** JSON, as it is kept. */
  readonly value: string;
  /** Of a pending write: where it waits. */
  readonly where?: string | undefined;
  readonly batchId?: string | undefined;
  readonly workflowId?: string | undefined;
}

/** Why a read of an entry gives what it gives, with every value as it is kept. */
export interface Explained {
  readonly partition: string;
  readonly epoch: string;
  readonly winner: string;
  readonly setAside: readonly string[];
  readonly copies: Readonly<Record<'cached' | 'pending' | 'row', Copy | undefined>>;
}

/** Reads the answer to `GET …/explanation`. */
export function readExplanation(json: string): Explained {
  const members = jsonMembers(json) ?? {};
  return {
    partition: members.partition ?? '',
    epoch: textOf(members.epoch) ?? '',
    winner: textOf(members.winner) ?? 'none',
    setAside: (members.setAside ?? '').match(/\d+/g) ?? [],
    copies: {
      cached: copyOf(members.cached),
      pending: copyOf(members.pending),
      row: copyOf(members.row),
    },
  };
}

function copyOf(json: string | undefined): Copy | undefined {
  const members = json === undefined ? undefined : jsonMembers(json);
  if (members === undefined) return undefined;
  const { version = '', deleted, value = 'null' } = members;
  return {
    ...{ version, deleted: deleted === 'true', value },
    where: textOf(members.where),
    batchId: textOf(members.batchId),
    workflowId: textOf(members.workflowId),
  };
}

function textOf(json: string | undefined): string | undefined {
  return json?.startsWith('"') ? (JSON.parse(json) as string) : undefined;
}
