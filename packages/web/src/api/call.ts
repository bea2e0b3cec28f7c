import { ApiError, createApiClient, type ApiClient } from '@tandem/api';
import { interruptSession, readSession } from '../session/session.ts';

const client = createApiClient({
  baseUrl: location.origin,
  token: () => readSession()?.token,
  fetch: (...request) => fetch(...request),
});

/**
 * Calls an endpoint of the contract as the one who is signed in. A token that no longer counts interrupts the session, which
 * brings up the sign-in over the page one is on; the call itself still fails with the ApiError.
 */
export const call: ApiClient = async (endpoint, options) => {
  const token = readSession()?.token;
  try {
    return await client(endpoint, options);
  } catch (error) {
    const isOwn = endpoint.audience === 'user' && token === readSession()?.token;
    if (isOwn && error instanceof ApiError && error.status === 401) interruptSession();
    throw error;
  }
};
