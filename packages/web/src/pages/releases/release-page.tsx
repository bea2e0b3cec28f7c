import { useState } from 'react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { deleteReleases, getRelease } from '@tandem/api';
import { call } from '../../api/call.ts';
import { ConfirmDialog } from '../../components/confirm-dialog.tsx';
import { Button } from '../../components/button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { linkButton } from '../../components/link-button.ts';
import { Page } from '../../components/page.tsx';
import { Time } from '../../components/time.tsx';
import { ArtifactDetails } from './artifact-details.tsx';
import { NotesSection } from './notes-section.tsx';

/** One release: what is inside each of its artifacts, tags and notes. */
export const ReleasePage = () => {
  const { name } = useParams({ from: '/releases/$name' });
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [isDeleting, setDeleting] = useState(false);
  const release = useQuery({
    queryKey: ['releases', 'one', name],
    queryFn: async ({ signal }) => (await call(getRelease, { params: { name }, signal })).body,
  });
  const remove = useMutation({
    mutationFn: () => call(deleteReleases, { query: { name: [name] } }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['releases'] });
      await navigate({ to: '/releases' });
    },
  });
  return (
    <Page
      title={name}
      lead={
        release.data !== undefined && (
          <>
            Release · changed <Time at={release.data.modified} />
          </>
        )
      }
      actions={
        <>
          <Link to="/deployments/new" search={{ release: name }} className={linkButton}>
            Deploy it
          </Link>
          <Button onPress={() => setDeleting(true)}>Delete</Button>
        </>
      }
    >
      {release.error !== null && <ErrorNotice attempt="Reading the release" error={release.error} />}
      {release.data !== undefined && (
        <>
          <NotesSection key={name} release={release.data} />
          {release.data.artifacts.map((artifact) => (
            <ArtifactDetails key={artifact.id} artifact={artifact} />
          ))}
        </>
      )}
      <ConfirmDialog
        title={`Delete ${name}?`}
        isOpen={isDeleting}
        onClose={() => setDeleting(false)}
        action="Delete the release"
        onConfirm={() => remove.mutate()}
        isPending={remove.isPending}
        error={remove.error}
      >
        All its artifacts are deleted from the server. Devices that run it go on running it; it can no longer
        be deployed. A release that an active deployment uses is not deleted.
      </ConfirmDialog>
    </Page>
  );
};
