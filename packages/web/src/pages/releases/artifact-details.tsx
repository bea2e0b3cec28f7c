import { useState } from 'react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { deleteArtifact, getArtifactLink, type ArtifactImage } from '@tandem/api';
import { call } from '../../api/call.ts';
import { byteSize } from '../../components/byte-size.ts';
import { Button } from '../../components/button.tsx';
import { ConfirmDialog } from '../../components/confirm-dialog.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { Facts, type Fact } from '../../components/facts.tsx';
import { Section } from '../../components/page.tsx';

/** What is inside one artifact, and what can be done with it. */
export const ArtifactDetails = ({ artifact }: { readonly artifact: ArtifactImage }) => {
  const queries = useQueryClient();
  const [isDeleting, setDeleting] = useState(false);
  const params = { id: artifact.id };
  const download = useMutation({
    mutationFn: async () => {
      const { body } = await call(getArtifactLink, { params });
      // The link is a signed one of fifteen minutes; the browser saves what it leads to.
      location.assign(body.uri);
    },
  });
  const remove = useMutation({
    mutationFn: () => call(deleteArtifact, { params }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['releases'] }),
  });
  return (
    <Section
      title={`For ${artifact.device_types_compatible.join(', ')}`}
      actions={
        <span>
          <Button kind="plain" onPress={() => download.mutate()}>
            Download
          </Button>
          <Button kind="plain" onPress={() => setDeleting(true)}>
            Delete
          </Button>
        </span>
      }
    >
      {download.error !== null && <ErrorNotice attempt="Making a download link" error={download.error} />}
      <Facts facts={factsOf(artifact)} />
      <ConfirmDialog
        title={`Delete the artifact for ${artifact.device_types_compatible.join(', ')}?`}
        isOpen={isDeleting}
        onClose={() => setDeleting(false)}
        action="Delete the artifact"
        onConfirm={() => remove.mutate()}
        isPending={remove.isPending}
        error={remove.error}
      >
        It is deleted from the server and can no longer be deployed; the release goes with its last artifact.
      </ConfirmDialog>
    </Section>
  );
};

const factsOf = (artifact: ArtifactImage): Fact[] => [
  ...(artifact.description === '' ? [] : [{ name: 'Description', value: artifact.description }]),
  {
    name: 'Signature',
    value: artifact.signed ? 'Signed; devices with a verification key check it' : 'Not signed',
  },
  { name: 'Format', value: `${artifact.info.format} ${artifact.info.version}` },
  { name: 'Size', value: byteSize(artifact.size) },
  ...artifact.updates.flatMap(({ type_info, files }) => [
    { name: 'Payload type', value: type_info.type ?? 'none' },
    ...(files ?? []).map(({ name, size, checksum }) => ({
      name: `File ${name}`,
      value: (
        <>
          {byteSize(size)}, SHA-256 <code>{checksum}</code>
        </>
      ),
    })),
  ]),
  ...pairs('Provides', artifact.artifact_provides),
  ...pairs('Depends on', artifact.artifact_depends),
  ...(artifact.clears_artifact_provides === undefined
    ? []
    : [{ name: 'Clears provides', value: artifact.clears_artifact_provides.join(', ') }]),
];

const pairs = (
  name: string,
  values: Readonly<Record<string, string | readonly string[]>> | undefined,
): Fact[] =>
  Object.entries(values ?? {}).map(([key, value]) => ({
    name: `${name} ${key}`,
    value: typeof value === 'string' ? value : value.join(' or '),
  }));
