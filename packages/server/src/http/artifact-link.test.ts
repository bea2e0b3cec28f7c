import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { artifactLinks } from './artifact-link.ts';

describe('download links', () => {
  const now = { ms: 1_700_000_000_500 };
  const links = artifactLinks('https://ota.example/', Buffer.alloc(32, 1), () => now.ms);
  const claims = { tenant: 't', artifactId: 'a', deviceId: 'd' };
  const parts = (uri: string) => {
    const { searchParams } = new URL(uri);
    return [searchParams.get('expire') ?? '', searchParams.get('signature') ?? ''] as const;
  };

  it('begin with the public URL and say until when they are good', async () => {
    const { uri, expire } = await links.artifactLink(claims, 60);
    assert.ok(uri.startsWith('https://ota.example/storage/t/a?device=d&expire=1700000060&signature='));
    assert.equal(expire, '2023-11-14T22:14:20.000Z');
    assert.equal(links.verify(claims, ...parts(uri)), 'valid');
  });

  it('are forged when anything in them is another', async () => {
    const [expire, signature] = parts((await links.artifactLink(claims, 60)).uri);
    for (const changed of [
      { tenant: 'x' },
      { artifactId: 'x' },
      { deviceId: 'x' },
      { deviceId: undefined },
    ]) {
      assert.equal(links.verify({ ...claims, ...changed }, expire, signature), 'forged');
    }
    assert.equal(links.verify(claims, String(Number(expire) + 1), signature), 'forged');
    assert.equal(links.verify(claims, expire, ''), 'forged');
    assert.equal(artifactLinks('', Buffer.alloc(32, 2), () => 0).verify(claims, expire, signature), 'forged');
  });

  it('end', async () => {
    const given = parts((await links.artifactLink(claims, 60)).uri);
    now.ms += 60_000;
    assert.equal(links.verify(claims, ...given), 'expired');
  });
});
