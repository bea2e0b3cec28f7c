import type { BusReply, ServedObject } from './bus.ts';
import type { BusMessage } from './message.ts';
import { completeTypes } from './signature.ts';
import type { BusValue } from './values.ts';

/** An interface as data: what its methods take and return, what its signals carry. Names are for introspection. */
export interface InterfaceDescription {
  readonly name: string;
  readonly methods: Readonly<Record<string, { readonly takes: Arguments; readonly returns: Arguments }>>;
  readonly signals: Readonly<Record<string, Arguments>>;
}

/** Arguments in their order: name and type. */
export type Arguments = Readonly<Record<string, string>>;

/** What each method does with its arguments; `InvalidArguments` and other faults become error replies. */
export type Methods<Description extends InterfaceDescription> = {
  readonly [Name in keyof Description['methods']]: (
    ...taken: readonly BusValue[]
  ) => readonly BusValue[] | BusReply | Promise<readonly BusValue[] | BusReply>;
};

/** An object of one interface, which beside it answers what every object on a bus is expected to: Peer, Introspectable, Properties. */
export function servedInterface<const Description extends InterfaceDescription>(
  description: Description,
  methods: Methods<Description>,
): ServedObject {
  return async (call) => {
    const standard = standardReply(description, call);
    if (standard !== undefined) return standard;
    const member = call.member ?? '';
    const isOurs = call.interface === undefined || call.interface === description.name;
    const method =
      isOurs && Object.hasOwn(description.methods, member) ? description.methods[member] : undefined;
    if (method === undefined) {
      return error('UnknownMethod', `There is no method ${member} in ${call.interface ?? description.name}`);
    }
    const takes = Object.values(method.takes).join('');
    if ((call.signature ?? '') !== takes) {
      return error('InvalidArgs', `${member} takes (${takes}), not (${call.signature ?? ''})`);
    }
    try {
      const given = await methods[member as keyof Description['methods']](...(call.body ?? []));
      if (!isReply(given)) return { signature: Object.values(method.returns).join(''), body: given };
      return given;
    } catch (fault) {
      return error('Failed', fault instanceof Error ? fault.message : String(fault));
    }
  };
}

/** Types of what a signal or method carries, as one signature. */
export const signatureOf = (carried: Arguments): string => Object.values(carried).join('');

const isReply = (given: readonly BusValue[] | BusReply): given is BusReply => !Array.isArray(given);

function error(name: string, text: string): BusReply {
  return { errorName: `org.freedesktop.DBus.Error.${name}`, text };
}

/** "Standard Interfaces" of the specification. We have no properties: proxies that ask for all of them get none. */
function standardReply(description: InterfaceDescription, call: BusMessage): BusReply | undefined {
  switch (`${call.interface ?? ''}.${call.member ?? ''}`) {
    case 'org.freedesktop.DBus.Peer.Ping':
      return { signature: '', body: [] };
    case 'org.freedesktop.DBus.Introspectable.Introspect':
      return { signature: 's', body: [introspection(description)] };
    case 'org.freedesktop.DBus.Properties.GetAll':
      return { signature: 'a{sv}', body: [[]] };
    default:
      return undefined;
  }
}

const standardInterfaces = `\
  <interface name="org.freedesktop.DBus.Peer">
    <method name="Ping"/>
  </interface>
  <interface name="org.freedesktop.DBus.Introspectable">
    <method name="Introspect">
      <arg name="xml_data" type="s" direction="out"/>
    </method>
  </interface>
`;

/** "Introspection Data Format". Names and types are ours and need no escaping. */
function introspection({ name, methods, signals }: InterfaceDescription): string {
  const args = (list: Arguments, direction: string) =>
    Object.entries(list)
      .map(([arg, type]) => `      <arg name="${arg}" type="${completeTypes(type).join('')}"${direction}/>\n`)
      .join('');
  const methodTexts = Object.entries(methods).map(
    ([member, { takes, returns }]) =>
      `    <method name="${member}">\n${args(takes, ' direction="in"')}${args(returns, ' direction="out"')}    </method>\n`,
  );
  const signalTexts = Object.entries(signals).map(
    ([member, carried]) => `    <signal name="${member}">\n${args(carried, '')}    </signal>\n`,
  );
  return (
    '<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"\n' +
    '  "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">\n' +
    `<node>\n${standardInterfaces}  <interface name="${name}">\n${[...methodTexts, ...signalTexts].join('')}  </interface>\n</node>\n`
  );
}
