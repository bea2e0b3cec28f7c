import { Page } from '../../components/page.tsx';

export const ConnectPage = () => <Page title="Connect a device">{null}</Page>;
