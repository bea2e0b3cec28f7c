import { Page } from '../../components/page.tsx';
import { AttentionSection } from './attention-section.tsx';
import { DevicesSection } from './devices-section.tsx';
import { DeploymentsSection } from './deployments-section.tsx';
import { SoftwareSection } from './software-section.tsx';
import styles from './dashboard-page.module.css';

/** The fleet at a glance: what needs somebody, how many devices there are, what they run, what is under way. */
export const DashboardPage = () => (
  <Page title="Dashboard">
    <div className={styles.grid}>
      <AttentionSection />
      <DevicesSection />
      <SoftwareSection />
      <DeploymentsSection title="Under way" status="inprogress" none="No deployment is under way." />
      <DeploymentsSection title="Recently ended" status="finished" none="No deployment has ended yet." />
    </div>
  </Page>
);
