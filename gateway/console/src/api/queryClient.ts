/** The cache of the gateway's answers, shared by all pages. */
import { MutationCache, QueryClient } from "@tanstack/react-query";
import { ApiError, RETRY_MS, SIGNED_IN, isTransient } from "./client";

export const queryClient = new QueryClient({
  defaultOptions: {
    // "always": the gateway may be reachable although the browser reports to be offline. Mutations are never repeated.
    queries: {
      networkMode: "always",
      retry: (_, error) => isTransient(ApiError.of(error)),
      retryDelay: RETRY_MS,
      refetchOnWindowFocus: false,
    },
    mutations: { networkMode: "always", retry: false, gcTime: 0 },
  },
  mutationCache: new MutationCache({
    // Also after a refused mutation: the page may have shown an outdated state.
    onSettled: () => {
      void queryClient.invalidateQueries();
    },
  }),
});

window.addEventListener(SIGNED_IN, () => {
  void queryClient.refetchQueries({
    type: "active",
    predicate: ({ state }) => state.error !== null && ApiError.of(state.error).status === 401,
  });
});
