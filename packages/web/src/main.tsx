import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { ApiError } from '@tandem/api';
import './design/tokens.css';
import './design/base.css';
import { applyTheme } from './design/theme.ts';
import { loadAllPages, router } from './routes.tsx';

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // The feed of changes says when an answer has become stale.
      staleTime: 30_000,
      // What the server refused it refuses again; what got no answer may get one.
      retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.code === 'refused'),
    },
  },
});

applyTheme();
const element = document.getElementById('application');
if (element === null) throw new Error('index.html has no element #application');
createRoot(element).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);

// After the first page stands and has its answers, for which it would only be in the way.
const forgetFirst = router.subscribe('onRendered', () => {
  forgetFirst();
  loadAllPagesOnceQuiet();
});

function loadAllPagesOnceQuiet(): void {
  setTimeout(() => (queries.isFetching() > 0 ? loadAllPagesOnceQuiet() : void loadAllPages()), 500);
}
