import { ClientError } from '../client-error.ts';
import { messageBus, type Bus } from './bus.ts';

/**
 * - `replaceable`: waits in the bus's queue while someone else owns the name, and gives it up to one who insists.
 * - `insisting`: takes the name from a replaceable owner, and keeps it.
 */
export type NameClaim = 'replaceable' | 'insisting';

/** Flags and answers of RequestName. */
const flags = { allowReplacement: 1, replaceExisting: 2, doNotQueue: 4 } as const;
const answers = { owner: 1, inQueue: 2, exists: 3, alreadyOwner: 4 } as const;

const claimFlags: Readonly<Record<NameClaim, number>> = {
  replaceable: flags.allowReplacement,
  insisting: flags.replaceExisting | flags.doNotQueue,
};

/**
 * Claims a well-known name. Gives whether it is ours now, and tells of each change after it. Throws `ClientError`
 * `busFailed` when the bus does not let us, as its policy may say, or when an insisting claim finds an owner that does too.
 */
export async function claimName(
  bus: Bus,
  name: string,
  claim: NameClaim,
  onChange: (isOurs: boolean) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const listen = async (member: string, isOurs: boolean) => {
    const match = { sender: messageBus.destination, path: messageBus.path, interface: messageBus.interface };
    const onSignal = ([changed]: readonly unknown[]) => {
      if (changed === name) onChange(isOurs);
    };
    await bus.listen({ ...match, member, signature: 's' }, onSignal, signal);
  };
  await listen('NameAcquired', true);
  await listen('NameLost', false);
  const [answer] = await bus.call(
    {
      ...messageBus,
      member: 'RequestName',
      signature: 'su',
      body: [name, claimFlags[claim]],
      returns: 'u',
    },
    signal,
  );
  if (answer === answers.exists) {
    throw new ClientError(
      'busFailed',
      `Another program owns ${name} on the bus. Stop it, or do not start this one.`,
    );
  }
  return answer === answers.owner || answer === answers.alreadyOwner;
}
