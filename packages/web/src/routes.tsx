import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { addressOf, readDeviceQuery } from './pages/devices/device-query.ts';
import { readDeploymentAddress, readNewDeploymentAddress } from './pages/deployments/deployment-query.ts';
import { readReleaseAddress } from './pages/releases/release-query.ts';
import { PageFailed } from './shell/page-failed.tsx';
import { PageNotFound } from './shell/page-not-found.tsx';
import { Root } from './shell/root.tsx';

const root = createRootRoute({ component: Root, notFoundComponent: PageNotFound });

// Each page comes with its own script: what is not looked at is not loaded.
const dashboard = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/dashboard/dashboard-page.tsx'), 'DashboardPage'),
});

const devices = createRoute({
  getParentRoute: () => root,
  path: '/devices',
  validateSearch: (search) => addressOf(readDeviceQuery(search)),
  component: lazyRouteComponent(() => import('./pages/devices/devices-page.tsx'), 'DevicesPage'),
});
const device = createRoute({
  getParentRoute: () => root,
  path: '/devices/$id',
  component: lazyRouteComponent(() => import('./pages/device/device-page.tsx'), 'DevicePage'),
});
const releases = createRoute({
  getParentRoute: () => root,
  path: '/releases',
  validateSearch: readReleaseAddress,
  component: lazyRouteComponent(() => import('./pages/releases/releases-page.tsx'), 'ReleasesPage'),
});
const release = createRoute({
  getParentRoute: () => root,
  path: '/releases/$name',
  component: lazyRouteComponent(() => import('./pages/releases/release-page.tsx'), 'ReleasePage'),
});
const deployments = createRoute({
  getParentRoute: () => root,
  path: '/deployments',
  validateSearch: readDeploymentAddress,
  component: lazyRouteComponent(() => import('./pages/deployments/deployments-page.tsx'), 'DeploymentsPage'),
});
const newDeployment = createRoute({
  getParentRoute: () => root,
  path: '/deployments/new',
  validateSearch: readNewDeploymentAddress,
  component: lazyRouteComponent(
    () => import('./pages/deployments/new-deployment-page.tsx'),
    'NewDeploymentPage',
  ),
});
const deployment = createRoute({
  getParentRoute: () => root,
  path: '/deployments/$id',
  component: lazyRouteComponent(() => import('./pages/deployments/deployment-page.tsx'), 'DeploymentPage'),
});
const users = createRoute({
  getParentRoute: () => root,
  path: '/users',
  component: lazyRouteComponent(() => import('./pages/users/users-page.tsx'), 'UsersPage'),
});
const settings = createRoute({
  getParentRoute: () => root,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/settings/settings-page.tsx'), 'SettingsPage'),
});
const connect = createRoute({
  getParentRoute: () => root,
  path: '/connect',
  component: lazyRouteComponent(() => import('./pages/connect/connect-page.tsx'), 'ConnectPage'),
});

const pages = [
  dashboard,
  devices,
  device,
  releases,
  release,
  deployments,
  newDeployment,
  deployment,
  users,
  settings,
  connect,
] as const;

export const router = createRouter({
  routeTree: root.addChildren([...pages]),
  basepath: import.meta.env.BASE_URL,
  defaultPreload: 'intent',
  defaultErrorComponent: PageFailed,
  scrollRestoration: true,
});

/** Loads the scripts of all pages, so that one can go to each while the server is away. */
export async function loadAllPages(): Promise<void> {
  await Promise.allSettled(pages.map(async ({ options }) => options.component?.preload?.()));
}

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
