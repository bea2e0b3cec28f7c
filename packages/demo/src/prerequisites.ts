import { existsSync } from 'node:fs';

/** Programs the demo calls, where Debian-like systems keep them, and the package that brings each. */
const programs = {
  'mkfs.ext4': {
    package: 'e2fsprogs',
    paths: ['/usr/sbin/mkfs.ext4', '/sbin/mkfs.ext4', '/usr/bin/mkfs.ext4'],
  },
  debugfs: { package: 'e2fsprogs', paths: ['/usr/sbin/debugfs', '/sbin/debugfs', '/usr/bin/debugfs'] },
} as const;

export type Program = keyof typeof programs;
export type ProgramPaths = Readonly<Record<Program, string>>;

/** Absolute paths of the programs, or one message that names every missing one and the command that installs it. */
export function findPrograms(exists: (path: string) => boolean = existsSync): ProgramPaths {
  const found: Partial<Record<Program, string>> = {};
  const missing: Program[] = [];
  for (const name of Object.keys(programs) as Program[]) {
    const path = programs[name].paths.find(exists);
    if (path === undefined) missing.push(name);
    else found[name] = path;
  }
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((name) => programs[name].package))].join(' ');
    throw new Error(
      `This needs ${missing.join(' and ')}, to make and read real ext4 file systems. Install with:\n\n    sudo apt-get install ${packages}\n`,
    );
  }
  return found as ProgramPaths;
}
