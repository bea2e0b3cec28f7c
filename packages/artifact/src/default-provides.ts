import type { PayloadDescription, PayloadFileSource, SoftwareOptions } from './artifact-description.ts';

type Extras = Pick<PayloadDescription, 'provides' | 'depends' | 'clearsProvides' | 'metaData'>;

export interface RootfsImageOptions extends Omit<Extras, 'metaData'> {
  readonly artifactName: string;
  readonly image: PayloadFileSource;
  readonly software?: SoftwareOptions;
  /** Under which key the image's checksum is provided; the last is what devices before Mender 2.5 know. */
  readonly checksum?: 'rootfs-image.checksum' | 'rootfs_image_checksum' | 'none';
}

/** A root file system payload with the provides and clears devices rely on (format clause 8). */
export function rootfsImage(options: RootfsImageOptions): PayloadDescription {
  const software = options.software ?? {};
  const component = componentOf(software, software.name);
  const isWholeRootfs = component === 'rootfs-image';
  const legacy = isWholeRootfs ? ['artifact_group', 'rootfs_image_checksum'] : [];
  const checksum = options.checksum ?? 'rootfs-image.checksum';
  return {
    type: 'rootfs-image',
    provides: { ...versionProvides(component, options.artifactName, software), ...options.provides },
    ...(options.depends === undefined ? {} : { depends: options.depends }),
    clearsProvides: clears(options.clearsProvides, [...legacy, `${component}.*`], software),
    files: [options.image],
    ...(checksum === 'none' ? {} : { checksumProvide: checksum }),
  };
}

export interface ModuleImageOptions extends Extras {
  readonly artifactName: string;
  readonly type: string;
  readonly files: readonly PayloadFileSource[];
  readonly software?: SoftwareOptions;
}

/** The payload of an update module, with the same defaults under the module's own name (format clause 8). */
export function moduleImage(options: ModuleImageOptions): PayloadDescription {
  const software = options.software ?? {};
  // Without a default version the type is not taken for the name either.
  const name = software.name ?? (software.noDefaultVersion === true ? undefined : options.type);
  const component = componentOf(software, name);
  return {
    type: options.type,
    provides: { ...versionProvides(component, options.artifactName, software), ...options.provides },
    ...(options.depends === undefined ? {} : { depends: options.depends }),
    clearsProvides: clears(options.clearsProvides, [`${component}.*`], software),
    ...(options.metaData === undefined ? {} : { metaData: options.metaData }),
    files: options.files,
  };
}

function componentOf(software: SoftwareOptions, name: string | undefined): string {
  const filesystem = software.filesystem ?? 'rootfs-image';
  return name === undefined ? filesystem : `${filesystem}.${name}`;
}

function versionProvides(
  component: string,
  artifactName: string,
  software: SoftwareOptions,
): Record<string, string> {
  const version = software.version ?? (software.noDefaultVersion === true ? undefined : artifactName);
  return version === undefined ? {} : { [`${component}.version`]: version };
}

function clears(
  given: readonly string[] | undefined,
  defaults: readonly string[],
  software: SoftwareOptions,
): readonly string[] {
  const list = given ?? [];
  if (software.noDefaultVersion === true || software.noDefaultClears === true) return list;
  return [...list, ...defaults.filter((entry) => !list.includes(entry))];
}
