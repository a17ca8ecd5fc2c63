/** Seconds since a time. */
export function since(text: string | undefined): number | undefined {
  return text ? Math.max(0, Math.round((Date.now() - Date.parse(text)) / 1000)) : undefined;
}
