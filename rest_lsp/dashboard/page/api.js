// What the dashboard's server is asked for.

import { get } from "./host.js";

export class Refused extends Error {}

/** Plain data; undefined when nothing is new.  Throws Refused with a sentence for people, or what fetch throws. */
export async function ask(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const { status, body } = await get(`/api/${path}?${new URLSearchParams(given)}`);
  if (status === 204) return undefined;
  if (status === 401) throw new Refused("This page is no longer let in. Run rest-lsp dashboard again.");
  if (status !== 200) throw new Refused(body?.message ?? `The dashboard's server refused (${status}).`);
  return body;
}
