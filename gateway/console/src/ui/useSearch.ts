import { useSearchParams } from "react-router";

type Put = (name: string, value: string | readonly string[] | undefined) => void;

/** The search parameters of the address, and what replaces the values of one of them; empty ones are left out. */
export function useSearch(): [search: URLSearchParams, put: Put] {
  const [search, setSearch] = useSearchParams();
  const put: Put = (name, value) => {
    setSearch(
      (before) => {
        before.delete(name);
        for (const one of typeof value === "string" ? [value] : (value ?? [])) if (one) before.append(name, one);
        return before;
      },
      { replace: true },
    );
  };
  return [search, put];
}
