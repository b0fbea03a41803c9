// @ts-check
import { spawn } from 'node:child_process';

/**
 * Runs a tool with our own input and outputs until it ends, and says every ten seconds that it still runs. A signal
 * that asks us to stop goes on to the tool, and then ends us, too.
 * @param {{ what: string, command: string, args: string[], cwd: string }} options
 * @returns {Promise<number>} its exit code
 */
export async function runTool({ what, command, args, cwd }) {
  const begin = Date.now();
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  /** @type {NodeJS.Signals | undefined} */
  let stopped;
  /** @param {NodeJS.Signals} signal */
  const stop = (signal) => {
    stopped = signal;
    child.kill(signal);
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const timer = setInterval(() => {
    console.log(`${what}: still at it (${Math.round((Date.now() - begin) / 1_000)} s)`);
  }, 10_000);
  try {
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode) => resolve(exitCode ?? 1));
    });
    if (stopped) process.exitCode = stopped === 'SIGINT' ? 130 : 143;
    return stopped ? Number(process.exitCode) : code;
  } catch (error) {
    console.error(`${what}: ${/** @type {Error} */ (error).message}`);
    return 1;
  } finally {
    clearInterval(timer);
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
