import { Link } from '@tanstack/react-router';
import { EmptyState, Page } from '../components/page.tsx';

export const PageNotFound = () => (
  <Page title="Not found">
    <EmptyState title="There is no page at this address.">
      <Link to="/">To the dashboard</Link>
    </EmptyState>
  </Page>
);
