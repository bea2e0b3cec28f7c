import { commands, flagsOf } from './commands.ts';
import { exitStatus } from './exit-status.ts';
import { softwareVersion } from './software-version.ts';

/** The manual's way to ask a token; e2e/compatibility/artifact-pkcs11.test.ts goes it. */
const token = '--module MODULE --login --pin env:PIN --sign';

/** The manual page (roff, section 1) of the program, from the same tables as its help. */
export function manualPage(programName: string): string {
  const lines = [
    `.TH ${programName.toUpperCase()} 1 "" "${programName} ${softwareVersion}"`,
    '.SH NAME',
    `${programName} \\- make, read and change update artifacts`,
    '.SH SYNOPSIS',
    ...Object.entries(commands).flatMap(([name, { operands }]) => [
      `.B ${text(`${programName} ${name}`)}`,
      `[options] ${text(operands)}`.trim(),
      '.br',
    ]),
    '.SH COMMANDS',
    ...Object.entries(commands).flatMap(([name, command]) => [
      `.SS ${text(name)}`,
      `${text(sentence(command.summary))}`,
      ...Object.entries(flagsOf(command)).flatMap(([flagName, flag]) => [
        '.TP',
        [
          `\\fB${text(`--${flagName}`)}\\fR`,
          ...(flag.short === undefined ? [] : [`\\fB${text(`-${flag.short}`)}\\fR`]),
        ]
          .map((written) => (flag.value === undefined ? written : `${written} \\fI${text(flag.value)}\\fR`))
          .join(', '),
        text(sentence(flag.help)),
      ]),
    ]),
    '.SH SIGNING BY ANOTHER PROGRAM',
    text(
      'Keys that are kept elsewhere (PKCS#11, a key service, a vault) sign through --sign-command: the shell command gets the bytes of the manifest on its stdin and writes the raw signature, RSA PKCS#1 v1.5 or ECDSA P-256 with SHA-256, or its base64, to its stdout:',
    ),
    '.PP',
    '.nf',
    text(`${programName} sign --sign-command 'openssl dgst -sha256 -sign KEY' ARTIFACT`),
    text(`${programName} sign --sign-command 'pkcs11-tool ${token} -m SHA256-RSA-PKCS --id 01' ARTIFACT`),
    text(
      `${programName} sign --sign-command 'openssl dgst -sha256 -binary | pkcs11-tool ${token} -m ECDSA --id 02' ARTIFACT`,
    ),
    '.fi',
    '.PP',
    text('where PIN is a variable of the environment; arguments can be seen by everybody on the machine.'),
    '.SH ENVIRONMENT',
    '.TP',
    '.B SOURCE_DATE_EPOCH',
    'Seconds since 1970 that all files in a written artifact bear; 0 when it is not set. The same inputs give the same bytes.',
    '.SH EXIT STATUS',
    ...Object.entries(exitStatus).flatMap(([reason, status]) => [
      '.TP',
      `.B ${status}`,
      text(wordsOf(reason)),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Candidates for the word after these, one a line: what `--generate-bash-completion` prints. */
export function completions(words: readonly string[]): readonly string[] {
  const names = Object.keys(commands);
  const command = names.find((name) => name.split(' ').every((word, index) => words[index] === word));
  if (command !== undefined) {
    const { [command]: found } = commands;
    return found === undefined ? [] : Object.keys(flagsOf(found)).map((name) => `--${name}`);
  }
  const under = names.filter((name) => words.every((word, index) => name.split(' ')[index] === word));
  return [...new Set(under.map((name) => name.split(' ')[words.length] ?? ''))].filter((word) => word !== '');
}

/** A script for bash, and for zsh with bashcompinit, that asks the program itself. */
export function completionScript(programName: string): string {
  const name = `_${programName.replaceAll('-', '_')}`;
  return [
    `${name}() {`,
    '  local words=("${COMP_WORDS[@]:1:COMP_CWORD-1}")',
    '  local current="${COMP_WORDS[COMP_CWORD]}"',
    `  COMPREPLY=($(compgen -W "$(${programName} "\${words[@]}" --generate-bash-completion 2>/dev/null)" -- "$current"))`,
    '}',
    `complete -o default -F ${name} ${programName}`,
    '',
  ].join('\n');
}

function sentence(help: string): string {
  return `${help.charAt(0).toUpperCase()}${help.slice(1)}.`;
}

/** `invalidParameters` → `invalid parameters` */
function wordsOf(reason: string): string {
  return reason.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** Roff takes a line that begins with a dot for a request, and turns dashes into hyphens nobody can copy. */
function text(plain: string): string {
  return plain.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^\./, '\\&.');
}
