import { useState } from 'react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { patchRelease, putReleaseTags, type ReleaseV2 } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { Section } from '../../components/page.tsx';
import { TextField } from '../../components/text-field.tsx';

/** What people write about a release; what one is typing outlives what changes meanwhile. */
export const NotesSection = ({ release }: { readonly release: ReleaseV2 }) => {
  const queries = useQueryClient();
  const [typedNotes, setNotes] = useState<string>();
  const [typedTags, setTags] = useState<string>();
  const notes = typedNotes ?? release.notes;
  const tags = typedTags ?? release.tags.join(', ');
  const params = { name: release.name };
  const wanted = tags
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
  const isChanged = notes !== release.notes || wanted.join() !== release.tags.join();
  const save = useMutation({
    mutationFn: async () => {
      if (notes !== release.notes) await call(patchRelease, { params, body: { notes } });
      if (wanted.join() !== release.tags.join()) await call(putReleaseTags, { params, body: wanted });
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['releases'] });
      setNotes(undefined);
      setTags(undefined);
    },
  });
  return (
    <Section title="Notes and tags">
      <TextField label="Notes" rows={3} value={notes} onChange={setNotes} />
      <TextField label="Tags" hint="Several, with commas between." value={tags} onChange={setTags} />
      {save.error !== null && <ErrorNotice attempt="Saving notes and tags" error={save.error} />}
      <div>
        <Button kind="primary" isDisabled={!isChanged || save.isPending} onPress={() => save.mutate()}>
          Save
        </Button>
      </div>
    </Section>
  );
};
