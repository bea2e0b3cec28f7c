import { basename } from 'node:path';
import { main } from '../main.ts';
import { programs, type ProgramName } from './command-line.ts';

/**
 * Where the program begins, whether started by a launcher in bin/ or as the bundled file itself: under which name it was
 * started says which of the command lines it speaks.
 */
const name = basename(process.argv[1] ?? '').replace(/\.m?[jt]s$/, '');
const isProgram = (word: string): word is ProgramName => Object.hasOwn(programs, word);
// What is still open then, such as a connection that lingers, must not keep the process.
process.exit(await main(isProgram(name) ? name : 'tandem-update', process));
