import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { ApiError } from '@tandem/api';
import { addressOf, readDeviceQuery } from './pages/devices/device-query.ts';
import { readDeploymentAddress, readNewDeploymentAddress } from './pages/deployments/deployment-query.ts';
import { readReleaseAddress } from './pages/releases/release-query.ts';
import { PageFailed } from './shell/page-failed.tsx';
import { PageNotFound } from './shell/page-not-found.tsx';
import { Root } from './shell/root.tsx';

// Each page comes with its own script: what is not looked at is not waited for.
const scripts = {
  dashboard: () => import('./pages/dashboard/dashboard-page.tsx'),
  devices: () => import('./pages/devices/devices-page.tsx'),
  device: () => import('./pages/device/device-page.tsx'),
  releases: () => import('./pages/releases/releases-page.tsx'),
  release: () => import('./pages/releases/release-page.tsx'),
  deployments: () => import('./pages/deployments/deployments-page.tsx'),
  newDeployment: () => import('./pages/deployments/new-deployment-page.tsx'),
  deployment: () => import('./pages/deployments/deployment-page.tsx'),
  users: () => import('./pages/users/users-page.tsx'),
  settings: () => import('./pages/settings/settings-page.tsx'),
  connect: () => import('./pages/connect/connect-page.tsx'),
} as const;

const root = createRootRoute({ component: Root, notFoundComponent: PageNotFound });

const dashboard = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: lazyRouteComponent(() => reached(scripts.dashboard), 'DashboardPage'),
});

const devices = createRoute({
  getParentRoute: () => root,
  path: '/devices',
  validateSearch: (search) => addressOf(readDeviceQuery(search)),
  component: lazyRouteComponent(() => reached(scripts.devices), 'DevicesPage'),
});
const device = createRoute({
  getParentRoute: () => root,
  path: '/devices/$id',
  component: lazyRouteComponent(() => reached(scripts.device), 'DevicePage'),
});
const releases = createRoute({
  getParentRoute: () => root,
  path: '/releases',
  validateSearch: readReleaseAddress,
  component: lazyRouteComponent(() => reached(scripts.releases), 'ReleasesPage'),
});
const release = createRoute({
  getParentRoute: () => root,
  path: '/releases/$name',
  component: lazyRouteComponent(() => reached(scripts.release), 'ReleasePage'),
});
const deployments = createRoute({
  getParentRoute: () => root,
  path: '/deployments',
  validateSearch: readDeploymentAddress,
  component: lazyRouteComponent(() => reached(scripts.deployments), 'DeploymentsPage'),
});
const newDeployment = createRoute({
  getParentRoute: () => root,
  path: '/deployments/new',
  validateSearch: readNewDeploymentAddress,
  component: lazyRouteComponent(() => reached(scripts.newDeployment), 'NewDeploymentPage'),
});
const deployment = createRoute({
  getParentRoute: () => root,
  path: '/deployments/$id',
  component: lazyRouteComponent(() => reached(scripts.deployment), 'DeploymentPage'),
});
const users = createRoute({
  getParentRoute: () => root,
  path: '/users',
  component: lazyRouteComponent(() => reached(scripts.users), 'UsersPage'),
});
const settings = createRoute({
  getParentRoute: () => root,
  path: '/settings',
  component: lazyRouteComponent(() => reached(scripts.settings), 'SettingsPage'),
});
const connect = createRoute({
  getParentRoute: () => root,
  path: '/connect',
  component: lazyRouteComponent(() => reached(scripts.connect), 'ConnectPage'),
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
  await Promise.allSettled(Object.values(scripts).map(async (load) => load()));
}

/**
 * The router takes a script that is missing for one of an older build, and loads the whole interface anew: right after an upgrade, but
 * while the server is away it would leave nothing on the screen.
 */
async function reached<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const isThere = await fetch('/health').then(
      () => true,
      () => false,
    );
    if (isThere) throw error;
    throw new ApiError('unreachable', 'the script of the page did not come', { cause: error });
  }
}

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
