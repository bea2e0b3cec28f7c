import { isDeviceType, shortestPollSeconds, usualPolling } from '../configuration/set-up.ts';
import type { Terminal } from './terminal.ts';

/** What setup needs to know, as far as it has been said on the command line. */
export interface SetupAnswers {
  readonly deviceType?: string | undefined;
  /** True: the server is hosted.mender.io. */
  readonly hosted?: boolean | undefined;
  readonly serverUrl?: string | undefined;
  readonly tenantToken?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Empty: the server's certificate is one that everybody trusts. */
  readonly serverCertificate?: string | undefined;
  readonly demoPolling?: boolean | undefined;
  /** Seconds by key of mender.conf; nothing of it is asked when one is given. */
  readonly polling: Readonly<Partial<Record<keyof typeof usualPolling, number>>>;
}

export interface QuestionNeeds {
  readonly terminal: Terminal;
  /** Offered when the user presses Enter. */
  readonly usualDeviceType: string;
  readonly isFile: (path: string) => Promise<boolean>;
}

/**
 * Asks for what has not been said, in the order of the reference (client contract 4.1). Nothing is written meanwhile, so that it can be
 * called off at every question.
 */
export async function askForTheRest(given: SetupAnswers, needs: QuestionNeeds): Promise<SetupAnswers> {
  const { terminal, usualDeviceType, isFile } = needs;
  const ask = asking(terminal);
  terminal.tell(
    'Setting up this device. Enter takes what stands in brackets; Ctrl-C ends without a change.\n',
  );

  const deviceType =
    given.deviceType ??
    (await ask.text('Device type, by which artifacts are chosen', usualDeviceType, (text) =>
      isDeviceType(text) ? undefined : 'It can only have letters, digits, - and _.',
    ));
  const hosted =
    given.hosted ??
    (given.serverUrl === undefined && (await ask.yesOrNo('Is the server hosted.mender.io?', false)));
  const answers = {
    ...given,
    deviceType,
    hosted,
    ...(await askForServer({ ...given, hosted }, ask, isFile)),
  };

  if (given.demoPolling !== undefined || Object.keys(given.polling).length > 0) return answers;
  if (await ask.yesOrNo('Poll every few seconds, as for a trial?', false))
    return { ...answers, demoPolling: true };
  const polling: Record<string, number> = {};
  for (const [key, question] of Object.entries(intervals)) {
    const usual = String(usualPolling[key as keyof typeof usualPolling]);
    const seconds = await ask.text(question, usual, (text) =>
      isSeconds(text) ? undefined : `It must be a number of seconds, at least ${shortestPollSeconds}.`,
    );
    polling[key] = Number(seconds);
  }
  return { ...answers, polling };
}

const intervals = {
  UpdatePollIntervalSeconds: 'Seconds between two questions for an update',
  InventoryPollIntervalSeconds: 'Seconds between two inventories',
  RetryPollIntervalSeconds: 'Longest wait in seconds after a failure',
} as const satisfies Record<keyof typeof usualPolling, string>;

async function askForServer(
  given: SetupAnswers,
  ask: ReturnType<typeof asking>,
  isFile: QuestionNeeds['isFile'],
): Promise<Partial<SetupAnswers>> {
  if (given.hosted === true) {
    if (given.tenantToken !== undefined) return {};
    const username =
      given.username ??
      (await ask.text('Your e-mail address there', '', (text) =>
        /^\S+@\S+$/.test(text) ? undefined : 'This is no e-mail address.',
      ));
    return { username, password: given.password ?? (await ask.secret('Your password there')) };
  }
  const serverUrl =
    given.serverUrl ??
    (await ask.text('Address of the server, https://…', '', (text) =>
      /^https?:\/\/[^\s/]/.test(text) ? undefined : 'It must begin with https:// (or http://).',
    ));
  const serverCertificate =
    given.serverCertificate ??
    (await ask.text(
      'File with the certificate to trust it by; empty for one that everybody trusts',
      '',
      async (path) => (path === '' || (await isFile(path)) ? undefined : 'There is no such file.'),
    ));
  return { serverUrl, serverCertificate };
}

/** Questions that come again, with the reason, until the answer will do. */
function asking(terminal: Terminal) {
  const text = async (
    question: string,
    usual: string,
    faultOf: (answer: string) => Promise<string | undefined> | string | undefined,
  ): Promise<string> => {
    for (;;) {
      const said = await terminal.ask(usual === '' ? `${question}:` : `${question}: [${usual}]`);
      const answer = said === '' ? usual : said;
      const fault = await faultOf(answer);
      if (fault === undefined) return answer;
      terminal.tell(fault);
    }
  };
  return {
    text,
    yesOrNo: async (question: string, usual: boolean): Promise<boolean> => {
      const answer = await text(question, usual ? 'Y/n' : 'y/N', (said) =>
        /^(y|yes|n|no|y\/n)$/i.test(said) ? undefined : 'Answer y or n.',
      );
      return answer.includes('/') ? usual : /^y/i.test(answer);
    },
    secret: async (question: string): Promise<string> => {
      for (;;) {
        const answer = await terminal.ask(`${question}:`, 'hidden');
        if (answer !== '') return answer;
      }
    },
  };
}

const isSeconds = (text: string): boolean => /^[0-9]{1,9}$/.test(text) && Number(text) >= shortestPollSeconds;
