import { readdirSync, readFileSync } from 'node:fs';

/**
 * Ends a process and everything it started, at once. A power cut spares nobody, but programs run in process groups and sessions
 * of their own, so the family is found by its parents in /proc; stopped first, so that none can start another meanwhile.
 */
export function killTree(root: number): void {
  const family = new Set<number>();
  for (let grown = true; grown;) {
    const before = family.size;
    for (const pid of [root, ...descendants(root)]) {
      if (!family.has(pid) && send(pid, 'SIGSTOP')) family.add(pid);
    }
    grown = family.size > before;
  }
  for (const pid of family) send(pid, 'SIGKILL');
}

function descendants(root: number): number[] {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      // pid (name) state ppid …; the name may hold anything, so count from its closing parenthesis.
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It ended while we looked.
    }
  }
  const isDescendant = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (parents.get(pid) === root || isDescendant(parents.get(pid)));
  return [...parents.keys()].filter(isDescendant);
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
