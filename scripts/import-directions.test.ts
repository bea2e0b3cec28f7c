import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importsOf, offenceOf } from './import-directions.ts';

const rows = [
  { file: 'packages/server/src/server.ts', source: `import { a } from '@tandem/api';`, offence: undefined },
  {
    file: 'packages/server/src/server.ts',
    source: `import { a } from '@tandem/client';`,
    offence: /server may not import client/,
  },
  {
    file: 'packages/api/src/index.ts',
    source: `export * from '@tandem/artifact';`,
    offence: /api may not import artifact/,
  },
  {
    file: 'packages/client/src/main.ts',
    source: `import type { A } from '@tandem/api';`,
    offence: undefined,
  },
  {
    file: 'packages/client/src/main.ts',
    source: `import { A } from '@tandem/api';`,
    offence: /only types of api/,
  },
  {
    file: 'packages/client/src/cli/a.ts',
    source: `import {\n  a,\n  b,\n} from '../../../server/src/a.ts';`,
    offence: /leaves the package/,
  },
  { file: 'packages/client/src/cli/a.ts', source: `import { a } from '../main.ts';`, offence: undefined },
  {
    file: 'packages/client/src/main.ts',
    source: `const a = await import('@tandem/server');`,
    offence: /client may not import server/,
  },
];

for (const { file, source, offence } of rows) {
  test(`${file}: ${source.replaceAll('\n', ' ')} is ${offence === undefined ? 'allowed' : 'refused'}`, () => {
    const [found] = importsOf(source);
    assert.ok(found !== undefined, 'the import was seen');
    const said = offenceOf(file, file.split('/')[1] ?? '', found);
    if (offence === undefined) assert.equal(said, undefined);
    else assert.match(said ?? '', offence);
  });
}
