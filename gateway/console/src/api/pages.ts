/** The paging parameters of a list method. */
export interface PageQuery {
  pageSize: number;
  pageToken?: string;
}

/** A page's items, and the token of the page after it; empty at the end of the list. */
export interface Page<T> {
  items: T[];
  next: string;
}

/** The largest page that every list method accepts. */
export const LARGEST_PAGE = 500;

/** The first items of a list, at most `limit`, in as few pages as possible; and the token of the page after them. */
export async function readPages<T>(limit: number, readPage: (query: PageQuery) => Promise<Page<T>>): Promise<Page<T>> {
  const items: T[] = [];
  let next = "";
  do {
    const pageSize = Math.min(LARGEST_PAGE, limit - items.length);
    const page = await readPage({ pageSize, ...(next ? { pageToken: next } : {}) });
    items.push(...page.items);
    next = page.next;
  } while (next && items.length < limit);
  return { items, next };
}
