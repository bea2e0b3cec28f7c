import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { getServerIdentity } from '@tandem/api';
import { call } from '../../api/call.ts';
import { Button } from '../../components/button.tsx';
import { CommandBlock } from '../../components/command-block.tsx';
import { ErrorNotice } from '../../components/error-notice.tsx';
import { Page, Section } from '../../components/page.tsx';
import { saveFile } from '../../components/save-file.ts';
import { statusFilter } from '../devices/status-tabs.tsx';
import { clientConfiguration, setupCommand } from './setup-commands.ts';
import { VirtualDeviceSection } from './virtual-device-section.tsx';

const authorityFile = 'tandem-ca.pem';

/** What to copy onto a device so that it finds this server and trusts nobody else. */
export const ConnectPage = () => {
  const server = useQuery({
    queryKey: ['settings', 'server'],
    queryFn: async ({ signal }) => (await call(getServerIdentity, { signal })).body,
  });
  if (server.data === undefined) {
    return (
      <Page title="Connect a device">
        {server.error === null ? (
          <p>Asking the server …</p>
        ) : (
          <ErrorNotice attempt="Asking how to connect" error={server.error} />
        )}
      </Page>
    );
  }
  const { public_url: url, authority, virtual_devices: offersVirtual } = server.data;
  const certificate = authority === null ? undefined : `/etc/mender/${authorityFile}`;
  return (
    <Page title="Connect a device" lead={`Devices reach this server at ${url}.`}>
      {offersVirtual && <VirtualDeviceSection />}
      {authority !== null && (
        <Section
          title="1. The server's authority"
          actions={
            <Button
              kind="primary"
              onPress={() =>
                saveFile(authorityFile, new Blob([authority.certificate], { type: 'application/x-pem-file' }))
              }
            >
              Save {authorityFile}
            </Button>
          }
        >
          <p>
            This server made its own certificate. Copy its authority to the device as{' '}
            <code>{certificate}</code>: the device then trusts this server, and no other that claims to be it.
            Compare the fingerprint with the one on the server's console:
          </p>
          <CommandBlock text={authority.sha256} label="SHA-256 fingerprint of the authority" />
          <CommandBlock
            text={`openssl x509 -in ${authorityFile} -noout -fingerprint -sha256`}
            label="Command that shows the fingerprint of the file"
          />
        </Section>
      )}
      <Section title={authority === null ? '1. Set up the client' : '2. Set up the client'}>
        <p>On the device, with the client of Tandem or of Mender 3.x:</p>
        <CommandBlock text={setupCommand(url, certificate)} label="Set-up command" />
        <p>
          With Mender's client 4.x, or in an image that you build, write <code>/etc/mender/mender.conf</code>:
        </p>
        <CommandBlock text={clientConfiguration(url, certificate)} label="Client configuration" />
        <p>
          Add <code>ArtifactVerifyKey</code> with the public half of your signing key: a device with it
          installs nothing that you did not sign.
        </p>
      </Section>
      <Section title={authority === null ? '2. Accept it' : '3. Accept it'}>
        <p>
          Once its client runs the device asks to be let in. Compare its identity, then accept it among the{' '}
          <Link to="/devices" search={{ filters: [statusFilter('pending')] }}>
            pending devices
          </Link>
          .
        </p>
      </Section>
    </Page>
  );
};
