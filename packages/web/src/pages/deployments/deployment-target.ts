/** Whom a deployment is for. */
export type DeploymentTarget =
  | { readonly kind: 'all' }
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'devices'; readonly devices: readonly string[] };

export function targetText(target: DeploymentTarget): string {
  switch (target.kind) {
    case 'all':
      return 'all devices';
    case 'group':
      return `group ${target.group}`;
    case 'devices':
      return target.devices.length === 1 ? '1 device' : `${target.devices.length} devices`;
  }
}
