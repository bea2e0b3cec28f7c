export const toldCheckIns = {
  name: 'told check-ins',
  // The last check-in that the inventory was told of, in milliseconds: it is told of one a day. Null until the first after this.
  sql: `
    ALTER TABLE devices ADD COLUMN check_in_told INTEGER;
  `,
};
