/** The stream of peer (e), and who reads it. */
export const STREAM = 'writes';
export const GROUP = 'to-postgres';
