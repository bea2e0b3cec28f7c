import type { InventoryDevice } from '@tandem/api';
import { attributeScopes, type AttributeScope } from '@tandem/api';
import { Facts } from '../../components/facts.tsx';
import { EmptyState, Section } from '../../components/page.tsx';

const titles = {
  identity: 'Identity',
  inventory: 'Inventory',
  system: 'Known to the server',
  tags: 'Tags',
  monitor: 'Monitor',
} as const satisfies Record<AttributeScope, string>;

/** What the device says of its software: provides, in the field's word. */
const isProvide = (name: string): boolean =>
  name === 'artifact_name' || name === 'artifact_group' || /^[^.]+\.(?:.+\.)?version$|checksum$/.test(name);

/** Every attribute, software first, the others by scope and name. */
export const InventorySection = ({ device }: { readonly device: InventoryDevice }) => {
  const sorted = device.attributes.toSorted((one, other) => one.name.localeCompare(other.name));
  const software = sorted.filter(({ scope, name }) => scope === 'inventory' && isProvide(name));
  return (
    <>
      <Section title="Software">
        {software.length === 0 ? (
          <EmptyState title="It has not reported its software yet." />
        ) : (
          <Facts facts={software.map(factOf)} />
        )}
      </Section>
      {attributeScopes.map((scope) => {
        const shown = sorted.filter(
          (attribute) => attribute.scope === scope && !software.includes(attribute),
        );
        return shown.length === 0 ? null : (
          <Section key={scope} title={titles[scope]}>
            <Facts facts={shown.map(factOf)} />
          </Section>
        );
      })}
    </>
  );
};

const factOf = ({ name, value }: InventoryDevice['attributes'][number]) => ({
  name,
  value: Array.isArray(value) ? value.join(', ') : String(value),
});
