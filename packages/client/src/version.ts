/** Of the client, as the command line, the inventory and the User-Agent tell it. */
export const version = '0.1.0';
