import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Bed, startBed } from './bed.ts';
import { describeRun } from './describe-run.ts';
import { scenariosOf } from './rotation.ts';
import { runScenario } from './run-scenario.ts';
import { SCENARIOS } from './scenarios/all.ts';
import { type Servers, startServers } from './servers.ts';

const DAY_MS = 86_400_000;

// Another few scenarios and another seed every day, the same ones all day long. FAULTS_DAY repeats an earlier day.
const day = Number(process.env.FAULTS_DAY ?? Math.floor(Date.now() / DAY_MS));
const seed = day;
const today = scenariosOf(day, SCENARIOS);

let servers: Servers;
let bed: { readonly wanted: string; readonly bed: Bed } | undefined;
beforeAll(async () => {
  const names = today.map(({ name }) => name).join(', ');
  process.stdout.write(`faults of day ${day}, seed ${seed}: ${names} (FAULTS_DAY=${day} repeats them)\n`);
  servers = await startServers(() => {});
});
afterAll(async () => {
  await bed?.bed.stop();
  await servers.stop();
});

test.each(today)(`$name (seed ${seed}): $promises`, { timeout: 120_000 }, async (scenario) => {
  const wanted = JSON.stringify(scenario.bed);
  if (bed?.wanted !== wanted) {
    await bed?.bed.stop();
    const logs = join(servers.folder, 'logs');
    mkdirSync(logs, { recursive: true });
    bed = { wanted, bed: await startBed(servers, scenario.bed, logs) };
  }
  const run = await runScenario(bed.bed, scenario, seed, { scale: 0.5 });
  if (run.result.outcome === 'violated') {
    await bed.bed.stop();
    bed = undefined;
    expect.fail(describeRun(run, 'run it again to keep its logs'));
  }
  // On a machine that is busy with other things too little may happen during a short outage; that says nothing.
  expect(run.result.calls.ok).toBeGreaterThan(0);
});
