import { useRef, useState } from 'react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { DropZone, FileTrigger, Text, type DropItem, type FileDropItem } from 'react-aria-components';
import { Button } from '../../components/button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { Progress } from '../../components/progress.tsx';
import { TextField } from '../../components/text-field.tsx';
import { byteSize } from '../../components/byte-size.ts';
import { uploadFile } from './upload-artifact.ts';
import styles from './upload-area.module.css';

/** Takes an artifact by drag and drop or by choosing a file; what was typed stays when the upload fails. */
export const UploadArea = ({ onBegin }: { readonly onBegin: () => void }) => {
  const queries = useQueryClient();
  const [description, setDescription] = useState('');
  const [file, setFile] = useState<File>();
  const [part, setPart] = useState(0);
  const cancel = useRef<AbortController>(undefined);
  const upload = useMutation({
    mutationFn: async (chosen: File) => {
      onBegin();
      setFile(chosen);
      setPart(0);
      cancel.current = new AbortController();
      const { signal } = cancel.current;
      await uploadFile({ file: chosen, description, onProgress: setPart, signal });
      return chosen;
    },
    onSuccess: async () => {
      setDescription('');
      await queries.invalidateQueries({ queryKey: ['releases'] });
    },
  });
  return (
    <section className={styles.area} aria-label="Upload an artifact">
      <TextField
        label="Description"
        hint="Optional; shown with the artifact."
        value={description}
        onChange={setDescription}
      />
      <DropZone
        className={styles.zone ?? ''}
        isDisabled={upload.isPending}
        getDropOperation={() => 'copy'}
        onDrop={({ items }) => {
          const dropped = items.find(isFile);
          if (dropped !== undefined) void dropped.getFile().then(upload.mutate);
        }}
      >
        <Text slot="label">Drop a .mender file here</Text>
        <FileTrigger
          acceptedFileTypes={['.mender']}
          onSelect={(files) => {
            const chosen = files?.item(0);
            if (chosen !== null && chosen !== undefined) upload.mutate(chosen);
          }}
        >
          <Button isDisabled={upload.isPending}>Choose a file</Button>
        </FileTrigger>
      </DropZone>
      {upload.isPending && file !== undefined && (
        <div className={styles.running}>
          <Progress label={`Uploading ${file.name} (${byteSize(file.size)})`} part={part} />
          {part === 1 && <p>All of it has been sent; the server checks it.</p>}
          <Button small onPress={() => cancel.current?.abort()}>
            Cancel
          </Button>
        </div>
      )}
      {upload.isSuccess && <output>{upload.data.name} was checked and stored.</output>}
      {upload.error !== null && (
        <div className={styles.running}>
          <ErrorNotice attempt={`The upload of ${file?.name ?? 'the artifact'}`} error={upload.error} />
          {file !== undefined && (
            <Button small onPress={() => upload.mutate(file)}>
              Try again
            </Button>
          )}
        </div>
      )}
    </section>
  );
};

const isFile = (item: DropItem): item is FileDropItem => item.kind === 'file';
