/** How values are written for people: times, durations, shares, sizes. */
import type { Language } from "../i18n";

/** The caller in an audit entry's `peer`: the address that a gateway there called for, and the gateway's own. */
export function origin(peer: string): { address: string; via: string | undefined } {
  const [seen = "", claimed] = peer.split(" for ");
  const address = decodeURIComponent(seen.replace(/^ipv[46]:/, "").replace(/:\d+$/, ""));
  return claimed === undefined ? { address, via: undefined } : { address: claimed, via: address };
}

/** Seconds of protobuf's `3.5s`. */
export function seconds(duration: string | undefined): number | undefined {
  return duration === undefined ? undefined : Number.parseFloat(duration);
}

export function duration(total: number | undefined, language: Language): string {
  if (total === undefined || !Number.isFinite(total)) return "—";
  const zh = language === "zh";
  const whole = Math.max(0, Math.round(total));
  if (total < 10 && total !== whole) return zh ? `${total.toFixed(1)} 秒` : `${total.toFixed(1)} s`;
  const days = Math.floor(whole / 86400);
  const hours = Math.floor((whole % 86400) / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = whole % 60;
  const part = (value: number, chinese: string, english: string) =>
    zh ? `${value} ${chinese}` : `${value} ${english}`;
  if (days > 0) return `${part(days, "天", "d")} ${part(hours, "小时", "h")}`;
  if (hours > 0) return `${part(hours, "小时", "h")} ${part(minutes, "分", "min")}`;
  if (minutes > 0) return `${part(minutes, "分", "min")} ${part(rest, "秒", "s")}`;
  return part(rest, "秒", "s");
}

export function time(text: string | undefined, language: Language): string {
  if (!text) return "—";
  return new Date(text).toLocaleString(language === "zh" ? "zh-CN" : "en-GB", {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
}

/** `93.4 %`; a dash where it is undefined. */
export function percent(share: number | undefined, digits = 1): string {
  return share === undefined || Number.isNaN(share) ? "—" : `${(share * 100).toFixed(digits)}\u00a0%`;
}

export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value >= 10 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1)} ${units[unit] ?? ""}`;
}

export function whole(count: number | string): string {
  return Number(count).toLocaleString("en-US");
}

export function probability(p: number): string {
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}
