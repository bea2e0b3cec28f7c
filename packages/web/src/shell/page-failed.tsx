import type { ErrorComponentProps } from '@tanstack/react-router';
import { Button } from '../components/button.tsx';
import { ErrorNotice } from '../components/error-notice.tsx';
import { Page } from '../components/page.tsx';

/** A page whose script did not come or broke: the places beside it still work. */
export const PageFailed = ({ error }: ErrorComponentProps) => (
  <Page title="This page failed" actions={<Button onPress={() => location.reload()}>Load it again</Button>}>
    <ErrorNotice attempt="Showing the page" error={error} />
  </Page>
);
