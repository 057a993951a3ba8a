// What the dashboard's server is asked for.

export class Refused extends Error {}

/** Plain data; undefined when nothing is new.  Throws Refused with a sentence for people, or what fetch throws. */
export async function ask(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const response = await fetch(`/api/${path}?${new URLSearchParams(given)}`);
  if (response.status === 204) return undefined;
  if (response.status === 401) throw new Refused("This page is no longer let in. Run rest-lsp dashboard again.");
  const answer = await response.json();
  if (!response.ok) throw new Refused(answer.message);
  return answer;
}
