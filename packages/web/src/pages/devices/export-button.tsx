import { useMutation } from '@tanstack/react-query';
import { Button } from '../../components/button.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import type { DeviceQuery } from './device-query.ts';
import { exportDevices } from './export-devices.ts';

/** All devices that match, not only this page, as a CSV file of the columns shown. */
export const ExportButton = ({ query }: { readonly query: DeviceQuery }) => {
  const exporting = useMutation({ mutationFn: () => exportDevices(query) });
  return (
    <>
      <Button onPress={() => exporting.mutate()} isDisabled={exporting.isPending}>
        {exporting.isPending ? 'Exporting …' : 'Export'}
      </Button>
      {exporting.error !== null && <ErrorNotice attempt="The export" error={exporting.error} />}
    </>
  );
};
