/** Actions of the first generation, `mender -install FILE` (client contract 3.2), by the command they are now. */
const actions: Readonly<Record<string, string>> = {
  install: 'install',
  rootfs: 'install',
  commit: 'commit',
  rollback: 'rollback',
  daemon: 'daemon',
  bootstrap: 'bootstrap',
  'check-update': 'check-update',
  'send-inventory': 'send-inventory',
  'show-artifact': 'show-artifact',
};

const shorthands: Readonly<Record<string, readonly string[]>> = {
  version: ['--version'],
  debug: ['--log-level', 'debug'],
  info: ['--log-level', 'info'],
};

const withValue = new Set([
  'install',
  'rootfs',
  'config',
  'fallback-config',
  'data',
  'trusted-certs',
  'log-level',
  'log-file',
  'log-modules',
]);
const ignored = new Set(['log-modules', 'no-syslog']);

/**
 * Words of the first generation's command line in today's words; unchanged when they are not of that kind. There one dash or
 * two were the same, and actions were flags.
 */
export function fromSingleDash(words: readonly string[]): readonly string[] {
  const flagOf = (word: string) => /^--?([a-z][a-z-]+)(?:=(.*))?$/s.exec(word);
  const isOld = words.some((word) => {
    const name = flagOf(word)?.[1] ?? '';
    return Object.hasOwn(actions, name) || (/^-[a-z]{2}/.test(word) && !word.startsWith('--'));
  });
  if (!isOld) return words;

  const globals: string[] = [];
  const command: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    const [, name = '', attached] = flagOf(word) ?? [];
    const value = withValue.has(name) ? (attached ?? words[++index]) : undefined;
    if (Object.hasOwn(actions, name))
      command.push(actions[name] ?? '', ...(value === undefined ? [] : [value]));
    else if (Object.hasOwn(shorthands, name)) globals.push(...(shorthands[name] ?? []));
    else if (name === '') command.push(word);
    else if (!ignored.has(name)) globals.push(`--${name}`, ...(value === undefined ? [] : [value]));
  }
  return [...globals, ...command];
}
