import type { Reader, Transaction } from '../database/tables.ts';
import type { WantedArtifact } from './generation-form.ts';

/** An artifact that was asked for and is not there yet. */
export interface PendingGeneration {
  readonly tenant: string;
  readonly artifactId: string;
  readonly wanted: WantedArtifact;
  /** When, in milliseconds since 1970. */
  readonly requested: number;
  /** How often it was tried in vain. */
  readonly attempts: number;
}

/** SQL on artifacts that are still to be made. */
export const artifactGenerationStore = {
  forTenant: (tenant: string) => ({
    insert: (tx: Transaction, artifactId: string, wanted: WantedArtifact, requested: number) =>
      tx
        .insertInto('artifact_generations')
        .values({
          tenant,
          artifact_id: artifactId,
          name: wanted.name,
          wanted: JSON.stringify(wanted),
          requested,
          attempts: 0,
        })
        .execute(),

    isPending: async (reader: Reader, artifactId: string): Promise<boolean> =>
      (await reader
        .selectFrom('artifact_generations')
        .where('tenant', '=', tenant)
        .where('artifact_id', '=', artifactId)
        .select('artifact_id')
        .executeTakeFirst()) !== undefined,

    named: async (reader: Reader, name: string): Promise<WantedArtifact[]> => {
      const rows = await reader
        .selectFrom('artifact_generations')
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .select('wanted')
        .execute();
      return rows.map((row) => wantedArtifact(row.wanted));
    },

    countAttempt: (tx: Transaction, artifactId: string, attempts: number) =>
      tx
        .updateTable('artifact_generations')
        .set({ attempts })
        .where('tenant', '=', tenant)
        .where('artifact_id', '=', artifactId)
        .execute(),

    delete: (tx: Transaction, artifactId: string) =>
      tx
        .deleteFrom('artifact_generations')
        .where('tenant', '=', tenant)
        .where('artifact_id', '=', artifactId)
        .execute(),
  }),

  /** Of all tenants, the oldest first. */
  pending: async (reader: Reader): Promise<PendingGeneration[]> => {
    const rows = await reader
      .selectFrom('artifact_generations')
      .orderBy('requested')
      .orderBy('artifact_id')
      .limit(1000)
      .selectAll()
      .execute();
    return rows.map(({ tenant, artifact_id, wanted, requested, attempts }) => ({
      tenant,
      artifactId: artifact_id,
      wanted: wantedArtifact(wanted),
      requested,
      attempts,
    }));
  },
};

/** Written by `insert` alone. */
const wantedArtifact = (text: string): WantedArtifact => JSON.parse(text) as WantedArtifact;
