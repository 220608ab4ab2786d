// Fetching a file of the page.

/**
 * The answer to a request for a file.
 * @param {string} url
 * @returns {Promise<Response>}
 * @throws {Error} a sentence, without its full stop
 */
export const fetchWell = async (url) => {
  const answer = await fetch(url).catch(() => null);
  if (!answer) throw new Error("A file could not be fetched: there is no connection");
  if (answer.ok) return answer;
  throw new Error(`A file is missing: expected ${url}, got status ${answer.status}; reload the page`);
};
