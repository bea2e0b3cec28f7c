import {
  completeDirectUpload,
  deleteArtifact,
  generateArtifact,
  getArtifact,
  getArtifactLink,
  getStorageLimit,
  lenientPageOf,
  listAllArtifacts,
  listArtifacts,
  listArtifactsV2,
  maxPerPage,
  pageOf,
  putArtifact,
  requestDirectUpload,
  uploadArtifact,
} from '@tandem/api';
import { cutPage, pagingHeaders } from '../http/paging-headers.ts';
import type { RegisterRoute } from '../http/register-route.ts';
import { ServerError } from '../server-error.ts';
import { assertUuid } from '../uuid.ts';
import type { ArtifactGeneration } from './artifact-generation.ts';
import type { DirectUploads } from './direct-uploads.ts';
import { readArtifactForm } from './artifact-form.ts';
import { drain } from './file-form.ts';
import type { TextMatch } from './artifact-store.ts';
import type { Artifacts } from './artifacts.ts';
import { readGenerationForm } from './generation-form.ts';
import { containing, exactOrPrefix, invalidFilter, readOrder } from './list-queries.ts';

/** Server contract 4.2. */
export function registerArtifactRoutes(
  register: RegisterRoute,
  artifacts: Artifacts,
  generation: ArtifactGeneration,
  directUploads: DirectUploads,
): void {
  register(uploadArtifact, async ({ actor, body, headers, url, signal }) => {
    try {
      const id = await artifacts.upload(actor, await readArtifactForm(body, headers), signal);
      await drain(body);
      return { status: 201, headers: { location: `${url.split('?', 1)[0]}/${id}` } };
    } catch (error) {
      await drain(body);
      throw error;
    }
  });

  register(generateArtifact, async ({ actor, body, headers, url, signal }) => {
    try {
      const id = await generation.request(actor, await readGenerationForm(body, headers), signal);
      await drain(body);
      return { status: 201, headers: { location: `${url.split('?', 1)[0]}/${id}` } };
    } catch (error) {
      await drain(body);
      throw error;
    }
  });

  register(requestDirectUpload, async ({ actor }) => ({
    status: 200,
    body: await directUploads.request(actor),
  }));

  register(completeDirectUpload, async ({ actor, params }) => {
    await directUploads.complete(actor, params.id);
    return { status: 202 };
  });

  register(listAllArtifacts, async ({ actor, query }) => ({
    status: 200,
    body: await artifacts.all(actor, substrings(query)),
  }));

  register(listArtifacts, async ({ actor, query, url }) => {
    const page = lenientPageOf(query);
    const order = readOrder(query.sort, ['name', 'modified']) ?? { by: 'name', direction: 'asc' };
    const { images, total } = await artifacts.page(actor, substrings(query), order, page);
    return {
      status: 200,
      headers: pagingHeaders(url, page, { total: await total() }),
      body: cutPage(images, page).rows.slice(),
    };
  });

  register(listArtifactsV2, async ({ actor, query, url }) => {
    if ((query.per_page ?? 0) > maxPerPage) throw invalidFilter(`per_page above limit (max: ${maxPerPage})`);
    const page = pageOf(query);
    const filter = {
      names: nameMatches(query.name ?? []),
      description: oneMatch('description', query.description),
      deviceType: oneMatch('device_type', query.device_type),
    };
    const { images } = await artifacts.page(actor, filter, { by: 'name', direction: 'asc' }, page);
    const { rows, hasMore } = cutPage(images, page);
    return { status: 200, headers: pagingHeaders(url, page, { hasMore }), body: rows.slice() };
  });

  register(getArtifact, async ({ actor, params }) => ({
    status: 200,
    body: await artifacts.get(actor, assertUuid(params.id)),
  }));

  register(putArtifact, async ({ actor, params, body }) => {
    await artifacts.describe(actor, assertUuid(params.id), body.description ?? '');
    return { status: 204 };
  });

  register(deleteArtifact, async ({ actor, params }) => {
    await artifacts.remove(actor, assertUuid(params.id));
    return { status: 204 };
  });

  register(getArtifactLink, async ({ actor, params }) => ({
    status: 200,
    body: await artifacts.link(actor, assertUuid(params.id)),
  }));

  register(getStorageLimit, async ({ actor, params }) => {
    if (params.name !== 'storage') {
      throw new ServerError(
        'badRequest',
        `unsupported limit "${params.name.slice(0, 64)}": there is "storage"`,
      );
    }
    return { status: 200, body: { limit: artifacts.limitBytes, usage: await artifacts.usageBytes(actor) } };
  });
}

const substrings = (query: { name?: string; description?: string; device_type?: string }) => {
  const name = containing(query.name);
  return {
    names: name && [name],
    description: containing(query.description),
    deviceType: containing(query.device_type),
  };
};

/** Up to a hundred exact names, or one prefix. */
function nameMatches(names: readonly string[]): TextMatch[] {
  const matches = names.flatMap((name) => oneMatch('name', name) ?? []);
  if (matches.length > 1 && matches.some(({ kind }) => kind === 'prefix')) {
    throw invalidFilter('a name with * at its end can be the only one');
  }
  return matches;
}

function oneMatch(filter: string, pattern: string | undefined): TextMatch | undefined {
  if (pattern === undefined || pattern === '') return undefined;
  const match = exactOrPrefix(pattern);
  if (match === undefined)
    throw invalidFilter(`${filter}: * may stand at the end only; write \\* for a star`);
  return match;
}
