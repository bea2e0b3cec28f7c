import { useState } from 'react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { listReleasesV2, listReleaseTags, type ReleaseV2 } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { Choice } from '../../components/choice.tsx';
import { DataTable, type TableColumn } from '../../components/data-table.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { EmptyState, Page } from '../../components/page.tsx';
import { Pager } from '../../components/pager.tsx';
import { SearchField } from '../../components/search-field.tsx';
import { Time } from '../../components/time.tsx';
import { byteSize } from '../../components/byte-size.ts';
import type { ReleaseAddress } from './release-query.ts';
import styles from './releases-page.module.css';
import { UploadArea } from './upload-area.tsx';

const perPage = 50;
const anyTag = '';

const columns: readonly TableColumn<ReleaseV2>[] = [
  { id: 'name', label: 'Release', cell: ({ name }) => name },
  { id: 'types', label: 'For device types', cell: ({ artifacts }) => deviceTypesOf(artifacts).join(', ') },
  { id: 'tags', label: 'Tags', cell: ({ tags }) => tags.join(', ') },
  { id: 'artifacts', label: 'Artifacts', width: 100, cell: ({ artifacts_count }) => artifacts_count },
  {
    id: 'size',
    label: 'Size',
    width: 110,
    cell: ({ artifacts }) => byteSize(artifacts.reduce((sum, { size }) => sum + size, 0)),
  },
  { id: 'modified', label: 'Changed', width: 150, cell: ({ modified }) => <Time at={modified} /> },
];

export const deviceTypesOf = (artifacts: ReleaseV2['artifacts']): string[] => [
  ...new Set(artifacts.flatMap(({ device_types_compatible }) => device_types_compatible)),
];

/** What can be deployed; artifacts of one name are one release. */
export const ReleasesPage = () => {
  const address = useSearch({ from: '/releases' });
  const navigate = useNavigate({ from: '/releases' });
  const [isUploading, setUploading] = useState(false);
  const { page = 1, name, tag } = address;
  const show = (changes: ReleaseAddress) => void navigate({ search: { ...address, page: 1, ...changes } });
  const releases = useQuery({
    queryKey: ['releases', 'list', address],
    queryFn: async ({ signal }) => {
      const query = {
        page: String(page),
        per_page: String(perPage),
        sort: 'modified:desc',
        ...(name === undefined ? {} : { name }),
        ...(tag === undefined ? {} : { tag: [tag] }),
      };
      const { body, headers } = await call(listReleasesV2, { query, signal });
      return { rows: body, total: Number(headers['x-total-count'] ?? body.length) };
    },
    placeholderData: keepPreviousData,
  });
  const tags = useQuery({
    queryKey: ['releases', 'tags'],
    queryFn: async ({ signal }) => (await call(listReleaseTags, { signal })).body,
  });
  const rows = releases.data?.rows ?? [];
  const isFiltered = name !== undefined || tag !== undefined;
  return (
    <Page
      title="Releases"
      actions={
        <Button kind="primary" onPress={() => setUploading(!isUploading)}>
          {isUploading ? 'Close the upload' : 'Upload an artifact'}
        </Button>
      }
    >
      {(isUploading || (releases.data?.total === 0 && !isFiltered)) && (
        // It stays when its first artifact has made the list: it has to say that all went well.
        <UploadArea onBegin={() => setUploading(true)} />
      )}
      <div className={styles.bar}>
        <SearchField label="Search by name" value={name ?? ''} onSearch={(text) => show({ name: text })} />
        {(tags.data ?? []).length > 0 && (
          <Choice
            label="Tag"
            value={tag ?? anyTag}
            onChange={(chosen) => show({ tag: chosen })}
            options={[
              { value: anyTag, label: 'Any' },
              ...(tags.data ?? []).map((value) => ({ value, label: value })),
            ]}
          />
        )}
      </div>
      {releases.error !== null && <ErrorNotice attempt="Listing the releases" error={releases.error} />}
      <DataTable
        label="Releases"
        columns={columns}
        rows={rows}
        keyOf={(release) => release.name}
        nameOf={(release) => release.name}
        onOpen={(key) => void navigate({ to: '/releases/$name', params: { name: key } })}
        empty={<NoReleases isFiltered={isFiltered} isPending={releases.data === undefined} />}
      />
      <Pager
        page={page}
        perPage={perPage}
        total={releases.data?.total}
        shown={rows.length}
        onPage={(next) => show({ page: next })}
      />
    </Page>
  );
};

const NoReleases = ({
  isFiltered,
  isPending,
}: {
  readonly isFiltered: boolean;
  readonly isPending: boolean;
}) => {
  if (isPending) return <EmptyState title="Asking the server …" />;
  if (isFiltered) return <EmptyState title="No release matches." />;
  return (
    <EmptyState title="There are no releases yet.">
      <p>
        Make an artifact with <code>mender-artifact write rootfs-image</code> and drop it above.
      </p>
    </EmptyState>
  );
};
