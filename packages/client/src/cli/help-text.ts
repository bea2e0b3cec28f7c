import {
  options,
  programs,
  type CommandName,
  type OptionName,
  type ProgramDescription,
  type ProgramName,
} from './command-line.ts';

const columns = 78;
const indent = '   ';

/** Help for a program, or for one of its commands. */
export function helpText(programName: ProgramName, version: string, commandName?: CommandName): string {
  const program: ProgramDescription = programs[programName];
  const implied = program.implies !== undefined;
  const command = commandName === undefined ? undefined : program.commands[commandName];
  const ofCommand = command === undefined ? ' [command] [arguments...]' : implied ? '' : ` ${commandName}`;
  const argument = command?.argument === undefined ? '' : ` ${command.argument}`;
  const ownOptions = (command?.options ?? []).length > 0 ? ' [options]' : '';
  const sections: [string, string[]][] = [
    [
      'NAME',
      [
        `${programName}${commandName === undefined || implied ? '' : ` ${commandName}`} - ${(implied ? undefined : command?.meaning) ?? program.meaning}`,
      ],
    ],
    ['USAGE', [`${programName} [global options]${ofCommand}${ownOptions}${argument}`]],
    ['VERSION', [version]],
  ];
  if (command === undefined) {
    sections.push([
      'COMMANDS',
      table(Object.entries(program.commands).map(([name, { meaning }]) => [name, meaning])),
    ]);
  } else if (command.options.length > 0) {
    sections.push(['OPTIONS', optionTable(command.options)]);
  }
  sections.push(['GLOBAL OPTIONS', optionTable(program.globalOptions)]);
  return sections
    .map(([title, lines]) => `${title}\n${lines.map((line) => `${indent}${line}\n`).join('')}`)
    .join('\n');
}

function optionTable(names: readonly OptionName[]): string[] {
  return table(
    names.map((name) => {
      const description = options[name];
      const short = 'short' in description ? `, -${description.short}` : '';
      const value = 'value' in description ? ` ${description.value}` : '';
      return [`--${name}${short}${value}`, description.meaning];
    }),
  );
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([first]) => first.length)) + 2;
  return rows.flatMap(([first, second]) =>
    wrap(second, columns - indent.length - width).map(
      (line, index) => (index === 0 ? first : '').padEnd(width) + line,
    ),
  );
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
