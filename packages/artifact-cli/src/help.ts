import type { Command } from './commands.ts';
import { commands, flagsOf } from './commands.ts';
import type { Flag } from './flags.ts';

/** The help of one command, from the tables of commands and flags. */
export function commandHelp(programName: string, name: string, command: Command): string {
  const lines = Object.entries(flagsOf(command)).map(([flagName, flag]) => flagLine(flagName, flag));
  return [
    `NAME:\n   ${programName} ${name} - ${command.summary}\n`,
    `USAGE:\n   ${programName} ${name} [options] ${command.operands}\n`,
    ...(command.details === undefined ? [] : [`DESCRIPTION:\n${indent(command.details, 3)}\n`]),
    `OPTIONS:\n${lines.join('\n')}\n`,
  ].join('\n');
}

/** What the program prints without a command: all commands, or those that begin with `group`. */
export function programHelp(programName: string, group = ''): string {
  const names = Object.keys(commands).filter((name) => name.startsWith(group));
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map((name) => `   ${name.padEnd(width)}  ${commands[name]?.summary ?? ''}`);
  return [
    `NAME:\n   ${programName} - make, read and change update artifacts\n`,
    `USAGE:\n   ${programName} COMMAND [options] [arguments]\n`,
    `COMMANDS:\n${lines.join('\n')}\n`,
    `   "${programName} help COMMAND" describes one; --generate-manual prints the manual page, --generate-completion a script for bash.\n`,
  ].join('\n');
}

function flagLine(name: string, flag: Flag): string {
  const value = flag.value === undefined ? '' : ` ${flag.value}`;
  const names = flag.short === undefined ? `--${name}${value}` : `--${name}${value}, -${flag.short}${value}`;
  return `   ${names.padEnd(46)}  ${flag.help}`;
}

function indent(text: string, spaces: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(spaces));
}
