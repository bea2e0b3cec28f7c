import { Page } from '../../components/page.tsx';

export const DeploymentPage = () => <Page title="Deployment">{null}</Page>;
