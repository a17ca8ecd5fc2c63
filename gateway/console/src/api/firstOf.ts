/** A page to ask for. */
export interface PageQuery {
  pageSize: number;
  pageToken?: string;
}

/** A page's items, and the token of the one after it; empty: there is none. */
export interface PageAnswer<T> {
  items: T[];
  next: string;
}

const LARGEST_PAGE = 500;

/** The first items of a list, as many as wanted or all there are, in as few pages as may be; and where it goes on. */
export async function firstOf<T>(wanted: number, ask: (query: PageQuery) => Promise<PageAnswer<T>>): Promise<PageAnswer<T>> {
  const items: T[] = [];
  let next = "";
  do {
    const pageSize = Math.min(LARGEST_PAGE, wanted - items.length);
    const answer = await ask({ pageSize, ...(next ? { pageToken: next } : {}) });
    items.push(...answer.items);
    next = answer.next;
  } while (next && items.length < wanted);
  return { items, next };
}
