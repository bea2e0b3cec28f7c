import {
  deleteReleases,
  getRelease,
  getReleases,
  lenientPageOf,
  listPayloadTypes,
  listReleases,
  listReleasesV2,
  listReleaseTags,
  listSoftware,
  listSoftwareTags,
  pageOf,
  patchRelease,
  putReleaseTags,
  type ReleaseV1,
  type ReleaseV2,
  type Software,
} from '@tandem/api';
import { rfc3339 } from '../clock.ts';
import { pagingHeaders } from '../http/paging-headers.ts';
import type { RegisterRoute } from '../http/register-route.ts';
import { ServerError } from '../server-error.ts';
import type { TextMatch } from './artifact-store.ts';
import { containing, readOrder } from './list-queries.ts';
import type { ReleaseFilter, ReleaseOrder } from './release-store.ts';
import type { Releases, ReleaseWithArtifacts } from './releases.ts';

const orders = ['name', 'modified', 'artifacts_count', 'tags'] as const;
const byName: ReleaseOrder = { by: 'name', direction: 'asc' };

/** Server contract 4.3. */
export function registerReleaseRoutes(register: RegisterRoute, releases: Releases): void {
  register(getReleases, async ({ actor, query }) => {
    const page = await releases.page(actor, filterV1(query), byName, lenientPageOf({}));
    return { status: 200, body: page.releases.map(releaseV1) };
  });

  register(listReleases, async ({ actor, query, url }) => {
    const page = lenientPageOf(query);
    const order = readOrder(query.sort, orders) ?? byName;
    const found = await releases.page(actor, filterV1(query), order, page);
    return {
      status: 200,
      headers: pagingHeaders(url, page, { total: found.total }),
      body: found.releases.map(releaseV1),
    };
  });

  register(listReleasesV2, async ({ actor, query, url }) => {
    const page = lenientPageOf(query);
    const filter = {
      kind: 'release',
      names: listOf(containing(query.name)),
      tags: query.tag?.map((tag) => tag.toLowerCase()),
      payloadType: nonEmpty(query.update_type),
    } as const;
    const found = await releases.page(actor, filter, readOrder(query.sort, orders) ?? byName, page);
    return {
      status: 200,
      headers: pagingHeaders(url, page, { total: found.total }),
      body: found.releases.map(releaseV2),
    };
  });

  register(deleteReleases, async ({ actor, query }) => {
    await releases.remove(actor, query.name ?? []);
    return { status: 204 };
  });

  register(getRelease, async ({ actor, params }) => ({
    status: 200,
    body: releaseV2(await releases.get(actor, params.name)),
  }));

  register(patchRelease, async ({ actor, params, body }) => {
    await releases.setNotes(actor, params.name, body.notes ?? '');
    return { status: 204 };
  });

  register(putReleaseTags, async ({ actor, params, body }) => {
    await releases.replaceTags(actor, params.name, body);
    return { status: 204 };
  });

  register(listReleaseTags, async ({ actor }) => ({
    status: 200,
    body: await releases.tags(actor, 'release'),
  }));
  register(listPayloadTypes, async ({ actor }) => ({
    status: 200,
    body: await releases.payloadTypes(actor),
  }));

  register(listSoftware, async ({ actor, query, url }) => {
    const page = pageOf(query);
    const { releases: found, total } = await releases.page(
      actor,
      softwareFilter(query),
      softwareOrder(query.sort),
      page,
    );
    return { status: 200, headers: pagingHeaders(url, page, { total }), body: found.map(software) };
  });

  register(listSoftwareTags, async ({ actor, query }) => ({
    status: 200,
    body: await releases.tags(actor, query.kind),
  }));
}

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text);
const listOf = (match: TextMatch | undefined): TextMatch[] => (match === undefined ? [] : [match]);

const filterV1 = (query: {
  name?: string;
  description?: string;
  device_type?: string;
  update_type?: string;
}): ReleaseFilter => ({
  kind: 'release',
  names: listOf(containing(query.name)),
  description: containing(query.description),
  deviceType: nonEmpty(query.device_type),
  payloadType: nonEmpty(query.update_type),
});

function softwareFilter(query: {
  name?: string[];
  name_prefix?: string;
  kind?: 'release' | 'manifest';
  update_type?: string;
  tag?: string[];
}): ReleaseFilter {
  if (query.name !== undefined && query.name_prefix !== undefined) {
    throw new ServerError('badRequest', 'invalid filter: give name or name_prefix, not both');
  }
  const names: TextMatch[] =
    query.name_prefix === undefined
      ? (query.name ?? []).map((text) => ({ kind: 'equals', text }))
      : [{ kind: 'prefix', text: query.name_prefix }];
  return {
    kind: query.kind,
    names,
    tags: query.tag?.map((tag) => tag.toLowerCase()),
    payloadType: nonEmpty(query.update_type),
  };
}

function softwareOrder(sort: string | undefined): ReleaseOrder {
  if (sort === undefined) return byName;
  const order = readOrder(sort, ['name', 'modified', 'tags']);
  if (order !== undefined) return order;
  throw new ServerError(
    'badRequest',
    `invalid sort query: "${sort.slice(0, 64)}": name, modified or tags, then :asc or :desc`,
  );
}

const releaseV1 = (release: ReleaseWithArtifacts): ReleaseV1 => ({
  Name: release.name,
  Modified: rfc3339(release.modified),
  Artifacts: [...release.artifacts],
  ArtifactsCount: release.artifactsCount,
  tags: [...release.tags],
  notes: release.notes,
});

const releaseV2 = (release: ReleaseWithArtifacts): ReleaseV2 => ({
  name: release.name,
  modified: rfc3339(release.modified),
  artifacts: [...release.artifacts],
  artifacts_count: release.artifactsCount,
  tags: [...release.tags],
  notes: release.notes,
});

const software = ({ name, modified, tags, notes, kind, deviceTypes }: ReleaseWithArtifacts): Software => ({
  name,
  modified: rfc3339(modified),
  tags: [...tags],
  notes,
  kind,
  compatible_types: [...deviceTypes],
});
