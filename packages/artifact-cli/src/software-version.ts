/** Of this program; the command line follows mender-artifact 4.4. */
export const softwareVersion = '0.1.0';
