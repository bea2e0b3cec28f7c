import { Page } from '../../components/page.tsx';

export const UsersPage = () => <Page title="Users">{null}</Page>;
