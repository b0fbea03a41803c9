import { type BatchId, type BatchLimits, batchId, mutationBytes } from '../../domain/batch.ts';
import type { WriteCondition } from '../../domain/condition.ts';
import type { Epoch } from '../../domain/epoch.ts';
import type { StageOutcome } from '../../storage/redis/stage-outcome.ts';

/** "version tag value", as Redis keeps it. */
type Mutation = string;
type Content = Map<string, Mutation>;
type Sent = { slot: number; runId: string | undefined; at: number };
/** What a script answers before it looks at anything else. */
export type Refused = { readonly outcome: 'epoch'; readonly current: Epoch | '' };

export const versionOf = (mutation: Mutation): number => Number(mutation.split(' ', 1)[0]);
const tagOf = (mutation: Mutation): string => mutation.split(' ', 2)[1] as string;
const textOf = (mutation: Mutation): string => mutation.slice(mutation.indexOf(' ') + 3);

/**
 * The protocol of one partition in plain words: what every script should answer and leave behind. Written from the design,
 * not from the scripts. Times and versions are taken from Redis' answers, after checking that they may be so.
 */
export class PartitionModel {
  readonly partition: number;
  readonly slots: number;
  epoch: Epoch | undefined;
  /** Whether the state is bound to the present Redis process. */
  valid = true;
  clock = 0;
  /** Whether fills of write-through entries still wait after the last recovery. */
  fillsWait = false;
  /** What is pending at or below this version may be older than a row. */
  newestFrom = 0;
  number = 0;
  open: Content = new Map();
  closed = new Map<BatchId, Content>();
  queue: BatchId[] = [];
  sent = new Map<BatchId, Sent>();
  free: number[] = [];
  index = new Map<string, BatchId>();
  /** Of each entry the writes through whose commits may still come, newest first. */
  blocks = new Map<string, { token: string; live: boolean }[]>();
  /** Cached copies and leases as they stand in Redis. */
  entries = new Map<string, string>();
  /** The highest version ever given out, whatever was lost since. */
  highest = 0;

  constructor(partition: number, slots: number) {
    this.partition = partition;
    this.slots = slots;
  }

  refusal(epoch: Epoch): Refused | undefined {
    if (this.epoch === undefined || !this.valid) return { outcome: 'epoch', current: '' };
    return this.epoch === epoch ? undefined : { outcome: 'epoch', current: this.epoch };
  }

  /** Takes the version that Redis gave, if Redis may give it. */
  take(version: number): void {
    if (version % 2 !== 0) throw new Error(`an odd version: ${version}`);
    if (version <= this.clock || version <= this.highest)
      throw new Error(`a version that is not new: ${version}`);
    this.clock = version;
    this.highest = version;
  }

  openId(): BatchId {
    return batchId(this.epoch as Epoch, this.partition, this.number);
  }

  openBytes(): number {
    let bytes = 0;
    for (const [id, mutation] of this.open) bytes += mutationBytes(id, textOf(mutation));
    return bytes;
  }

  /** The mutation in the cached copy of this epoch. */
  copy(id: string): Mutation | undefined {
    const head = `V ${this.epoch} `;
    const text = this.entries.get(id);
    return text?.startsWith(head) ? text.slice(head.length) : undefined;
  }

  private setCopy(id: string, mutation: Mutation): void {
    this.entries.set(id, `V ${this.epoch} ${mutation}`);
  }

  private close(): void {
    const id = this.openId();
    this.closed.set(id, this.open);
    this.queue.push(id);
    this.open = new Map();
    this.number += 1;
  }

  /** What a put, delete or increment should answer, `actual` being what it did answer. */
  stage(
    id: string,
    change: { readonly tag: string; readonly value: string } | { readonly by: number },
    options: {
      readonly limits: BatchLimits;
      readonly maxQueued: number;
      readonly condition?: WriteCondition | undefined;
      readonly late: boolean;
    },
    actual: StageOutcome,
  ): StageOutcome {
    if (options.late) return { outcome: 'late' };
    const { limits, condition } = options;
    const held = this.copy(id);
    const exists = held !== undefined && tagOf(held) === tagOf(held).toLowerCase();
    if (held === undefined && (condition !== undefined || 'by' in change)) return { outcome: 'miss' };
    if (condition !== undefined && held !== undefined) {
      const version = exists ? versionOf(held) : 0;
      if ('ifAbsent' in condition ? exists : version !== condition.ifVersion || !exists)
        return { outcome: 'condition', version };
    }
    let { tag, value } = { tag: 'c', value: '', ...change };
    let sum: number | undefined;
    if ('by' in change) {
      const exact = BigInt(exists ? textOf(held as string) : 0) + BigInt(change.by);
      if (exact > BigInt(Number.MAX_SAFE_INTEGER) || exact < -BigInt(Number.MAX_SAFE_INTEGER))
        return { outcome: 'overflow' };
      sum = Number(exact);
      [tag, value] = ['c', String(exact)];
    }
    const before = this.open.get(id);
    const bytes =
      this.openBytes() -
      (before === undefined ? 0 : mutationBytes(id, textOf(before))) +
      mutationBytes(id, value);
    const full = (before === undefined && this.open.size >= limits.entries) || bytes > limits.bytes;
    if (full && this.open.size > 0) {
      if (this.queue.length >= options.maxQueued) return { outcome: 'full' };
      this.close();
    }
    if (actual.outcome !== 'staged') throw new Error(`should have been staged: ${JSON.stringify(actual)}`);
    this.take(actual.version);
    const mutation = `${actual.version} ${tag} ${value}`;
    this.open.set(id, mutation);
    this.index.set(id, this.openId());
    this.setCopy(id, mutation);
    const staged = { outcome: 'staged', version: actual.version, batchId: this.openId() } as const;
    return sum === undefined ? staged : { ...staged, value: sum };
  }

  /** The copy on a hit; else the lease and where the pending mutation is. */
  /** The batch that holds an entry's newest mutation, where Temporal does not have it yet. */
  stagedIn(id: string): BatchId | undefined {
    const batch = this.index.get(id);
    return batch === undefined || this.sent.get(batch)?.runId !== undefined ? undefined : batch;
  }

  lookup(id: string, token: string, writeThrough: boolean) {
    const hit = this.copy(id);
    if (hit !== undefined) return { hit } as const;
    const blocked = this.blocked(id);
    const own = `L ${this.epoch} ${token}`;
    let lease: string | undefined;
    let held = false;
    if (this.entries.get(id) === own) lease = token;
    else if (
      !blocked &&
      !(writeThrough && this.fillsWait) &&
      !this.entries.get(id)?.startsWith(`L ${this.epoch} `)
    ) {
      this.entries.set(id, own);
      lease = token;
    } else held = !blocked && !(writeThrough && this.fillsWait);
    const batch = this.index.get(id);
    if (batch === undefined) return { lease, held, pending: undefined };
    const sent = this.sent.get(batch);
    const { newestFrom } = this;
    if (sent?.runId !== undefined)
      return { lease, held, pending: { batch, slot: sent.slot, runId: sent.runId, newestFrom } } as const;
    const mutation = this.closed.get(batch)?.get(id) ?? this.open.get(id);
    return { lease, held, pending: { batch, mutation, newestFrom } } as const;
  }

  fill(id: string, token: string, mutation: Mutation): boolean {
    if (this.entries.get(id) !== `L ${this.epoch} ${token}` || this.blocked(id)) return false;
    this.setCopy(id, mutation);
    return true;
  }

  void(id: string, token: string, live: boolean, version: number): void {
    this.take(version);
    this.entries.delete(id);
    this.setBlock(id, [{ token, live }, ...this.writes(id)]);
  }

  /** Also those past their time: they are in doubt. */
  private writes(id: string) {
    return this.blocks.get(id) ?? [];
  }

  private blocked(id: string): boolean {
    return this.writes(id).some(({ live }) => live);
  }

  private setBlock(id: string, writes: { token: string; live: boolean }[]): void {
    if (writes.length > 0) this.blocks.set(id, writes);
    else this.blocks.delete(id);
  }

  settle(
    id: string,
    token: string,
    version: number,
    mutation: Mutation,
    committed: boolean,
  ): 'set' | 'dropped' {
    const writes = this.writes(id);
    const at = writes.findIndex((one) => one.token === token);
    // What came before a write that committed cannot commit any more; before one that did not, it can.
    if (committed && at >= 0) this.setBlock(id, writes.slice(0, at));
    else if (at >= 0)
      this.setBlock(
        id,
        writes.filter((one) => one.token !== token),
      );
    this.clock = Math.max(this.clock, version);
    const held = this.copy(id);
    const older = held === undefined || versionOf(held) < version;
    if (at === 0 && writes[0]?.live && committed && older) {
      this.setCopy(id, mutation);
      return 'set';
    }
    if (older) this.entries.delete(id);
    return 'dropped';
  }

  seal(gather: boolean): { readonly id: BatchId; readonly slot: number; readonly content: Content } | string {
    if (this.queue.length === 0 && this.open.size === 0) return 'none';
    if (this.free.length === 0) return 'full';
    if (this.queue.length === 0) {
      if (gather) return 'wait';
      this.close();
    }
    const id = this.queue.shift() as BatchId;
    const slot = this.free.shift() as number;
    this.sent.set(id, { slot, runId: undefined, at: Number.POSITIVE_INFINITY });
    return { id, slot, content: this.closed.get(id) as Content };
  }

  adopt(): { readonly id: BatchId; readonly slot: number; readonly content: Content } | undefined {
    let found: [BatchId, Sent] | undefined;
    for (const each of this.sent)
      if (each[1].runId === undefined && (found === undefined || each[1].at < found[1].at)) found = each;
    if (found === undefined) return undefined;
    return { id: found[0], slot: found[1].slot, content: this.closed.get(found[0]) as Content };
  }

  private freeUnlessNamed(slot: number): void {
    if ([...this.sent.values()].some((one) => one.slot === slot)) return;
    this.free = [...this.free.filter((one) => one !== slot), slot];
  }

  reslot(id: BatchId, taken: number): { readonly slot: number } | 'gone' | 'full' {
    const sent = this.sent.get(id);
    if (sent === undefined || sent.runId !== undefined) return 'gone';
    if (sent.slot !== taken) return { slot: sent.slot };
    const slot = this.free.shift();
    if (slot === undefined) return 'full';
    sent.slot = slot;
    this.freeUnlessNamed(taken);
    return { slot };
  }

  confirm(id: BatchId, slot: number, runId: string): boolean {
    if (!this.closed.delete(id)) return false;
    const before = this.sent.get(id)?.slot;
    this.queue = this.queue.filter((one) => one !== id);
    this.sent.set(id, { slot, runId, at: 0 });
    this.free = this.free.filter((one) => one !== slot);
    if (before !== undefined && before !== slot) this.freeUnlessNamed(before);
    return true;
  }

  release(id: BatchId, content: Content, aside: ReadonlySet<string>): void {
    for (const [entry, mutation] of content) {
      if (this.index.get(entry) === id) this.index.delete(entry);
      const version = versionOf(mutation);
      const held = this.copy(entry);
      const heldVersion = held === undefined ? -1 : versionOf(held);
      if (heldVersion < version || (aside.has(entry) && heldVersion === version)) this.entries.delete(entry);
      this.clock = Math.max(this.clock, version);
    }
    this.closed.delete(id);
    this.queue = this.queue.filter((one) => one !== id);
    const slot = this.sent.get(id)?.slot;
    this.sent.delete(id);
    if (slot !== undefined) this.freeUnlessNamed(slot);
  }

  progress(id: BatchId): 'staged' | 'queued' | 'gone' {
    if (this.sent.get(id)?.runId !== undefined) return 'queued';
    return id === this.openId() || this.closed.has(id) ? 'staged' : 'gone';
  }

  /** Everything in Redis is gone. */
  wipe(): void {
    const { partition, slots, highest } = this;
    Object.assign(this, new PartitionModel(partition, slots), { highest });
  }

  install(
    epoch: Epoch,
    clock: number,
    adopted: readonly {
      readonly id: BatchId;
      readonly slot: number;
      readonly runId: string;
      readonly content: Content;
    }[],
    rows: ReadonlyMap<string, number>,
    fillsWait: boolean,
  ): void {
    const survivors = [...this.closed]
      .sort(([a], [b]) => Number(a.split('.')[2]) - Number(b.split('.')[2]))
      .map(([, content]) => content);
    survivors.push(this.open);
    this.epoch = epoch;
    this.valid = true;
    this.fillsWait = fillsWait;
    this.clock = Math.max(this.clock, clock);
    [this.number, this.queue] = [0, []];
    [this.open, this.closed, this.sent] = [new Map(), new Map(), new Map()];
    [this.index, this.blocks] = [new Map(), new Map()];
    const best = new Map<string, number>();
    const offer = (entry: string, mutation: Mutation, id: BatchId) => {
      const version = versionOf(mutation);
      this.clock = Math.max(this.clock, version);
      if (version <= (best.get(entry) ?? -1)) return;
      best.set(entry, version);
      this.index.set(entry, id);
    };
    for (const { id, slot, runId, content } of adopted) {
      this.sent.set(id, { slot, runId, at: 0 });
      for (const [entry, mutation] of content) offer(entry, mutation, id);
    }
    const inTemporal = new Map(best);
    const taken = new Set(adopted.map((one) => one.slot));
    this.free = Array.from({ length: this.slots }, (_, slot) => slot).filter((slot) => !taken.has(slot));
    for (const survivor of survivors) {
      const kept: Content = new Map();
      for (const [entry, mutation] of survivor) {
        const version = versionOf(mutation);
        this.clock = Math.max(this.clock, version);
        const known = Math.max(rows.get(entry) ?? 0, inTemporal.get(entry) ?? 0);
        if (tagOf(mutation).toLowerCase() === 'c' && version <= known) continue;
        kept.set(entry, mutation);
        offer(entry, mutation, this.openId());
      }
      if (kept.size === 0) continue;
      this.closed.set(this.openId(), kept);
      this.queue.push(this.openId());
      this.number += 1;
    }
    this.newestFrom = this.clock;
  }
}
