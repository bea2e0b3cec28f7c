export interface UserTables {
  users: {
    tenant: string;
    id: string;
    /** Lower case; of one tenant only, since a login knows nothing else. */
    email: string;
    password_hash: string;
    created: number;
    updated: number;
    login: number | null;
  };
  /** One row per tenant: who came first closes the door, by the primary key. */
  first_administrators: { tenant: string; user_id: string; created: number };
  /** A row is a token that counts. Personal access tokens have a name. */
  user_tokens: {
    tenant: string;
    id: string;
    user_id: string;
    kind: 'session' | 'personal';
    name: string | null;
    created: number;
    expires: number | null;
    last_used: number | null;
  };
  /** `user_id` is empty for the settings of the whole tenant. */
  settings: { tenant: string; user_id: string; etag: string; value: string };
}
