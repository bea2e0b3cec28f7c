import { Page } from '../../components/page.tsx';

export const NewDeploymentPage = () => <Page title="New deployment">{null}</Page>;
