import type { Plan } from '@tandem/api';

/** One plan for everybody, under the reference's name: clients look for it. Features are what this server really has. */
export const plan: Plan = {
  name: 'Mender_Open_Source',
  display_name: 'Tandem',
  features: {
    rbac: false,
    audit_logs: false,
    dynamic_groups: false,
    terminal: false,
    file_transfer: false,
    configuration: true,
    monitoring: false,
    reporting: false,
  },
};

export const plans: Plan[] = [plan];
