import { type ChildProcess, spawn } from 'node:child_process';

/**
 * A tiny shell process that ends our children when this process dies without a chance to do it itself (SIGKILL, crash):
 * its standard input is a pipe from us, which the system closes whatever happens. It is told of every child that starts
 * and ends, so it never signals a process id that is no longer ours.
 */
const SCRIPT = `
trap '' INT TERM HUP
children=''
folders=''
without() { kept=''; for child in $children; do [ "\${child%%:*}" = "$1" ] || kept="$kept $child"; done; children=$kept; }
while read -r verb value; do
  case $verb in
    started) children="$children $value" ;;
    ended) without "$value" ;;
    folder) folders="$folders$value
" ;;
    removed) folders=$(printf '%s' "$folders" | grep -vxF -e "$value")"
" ;;
  esac
done
for child in $children; do kill -s "\${child##*:}" "\${child%%:*}" 2>/dev/null; done
tries=0
for child in $children; do
  while kill -0 "\${child%%:*}" 2>/dev/null; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ]; then kill -s KILL "\${child%%:*}" 2>/dev/null; break; fi
    sleep 0.1
  done
done
printf '%s' "$folders" | while IFS= read -r folder; do [ -n "$folder" ] && rm -rf -- "$folder"; done
`;

let guard: ChildProcess | undefined;

function tell(line: string): void {
  if (guard === undefined) {
    guard = spawn('/bin/sh', ['-c', SCRIPT], {
      detached: true,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    guard.on('error', () => {});
    guard.stdin?.on('error', () => {});
    guard.unref();
    // A pipe would keep this process alive.
    (guard.stdin as { unref?: () => void } | null)?.unref?.();
  }
  guard.stdin?.write(`${line}\n`);
}

/** Should this process die, `pid` gets `signal`, and SIGKILL ten seconds later. */
export function guardChild(pid: number, signal: NodeJS.Signals): void {
  tell(`started ${pid}:${signal.slice(3)}`);
}

/** `pid` is gone: forget it. */
export function unguardChild(pid: number): void {
  tell(`ended ${pid}`);
}

/** Should this process die, this (temporary) folder is removed once the children are gone. */
export function guardFolder(path: string): void {
  tell(`folder ${path}`);
}

/** The folder was removed. */
export function unguardFolder(path: string): void {
  tell(`removed ${path}`);
}
