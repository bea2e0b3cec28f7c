import { StringDecoder } from 'node:string_decoder';

/** Longer lines are told in parts: a program that never ends its line must not gather in memory. */
const longestLine = 4096;

/** Cuts bytes as they come into lines and tells each that has something on it; `end` tells what is left. */
export function lineSplitter(tell: (line: string) => void): {
  readonly write: (bytes: Buffer) => void;
  readonly end: () => void;
} {
  const decoder = new StringDecoder('utf8');
  let open = '';
  const tellIfAny = (line: string) => {
    if (line.trim() !== '') tell(line);
  };
  return {
    write: (bytes) => {
      const lines = (open + decoder.write(bytes)).split('\n');
      open = lines.pop() ?? '';
      lines.forEach(tellIfAny);
      for (; open.length > longestLine; open = open.slice(longestLine)) tellIfAny(open.slice(0, longestLine));
    },
    end: () => {
      tellIfAny(open + decoder.end());
      open = '';
    },
  };
}
