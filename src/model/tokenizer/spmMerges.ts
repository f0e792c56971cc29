/**
 * Merge ranks of a SentencePiece BPE vocabulary, derived from its pieces and scores, since GGUF files of the `llama`
 * tokenizer store no merges. Knows pieces, ids and scores only.
 */

/** Longest piece, in characters, that is split: SentencePiece's own limit is 16, and a hostile piece must not cost n² time. */
const MAX_PIECE_CHARS = 256;

/**
 * Every split of a piece into two pieces, best score of the whole first, then by id of the left and of the right part.
 * Score order equals Hugging Face's conversion of Llama 2 on all of 2235 texts; order by id alone does not.
 * `vocab` holds the pieces that may be merged or be parts; scores are indexed by id.
 */
export function mergesFromScores(
  vocab: ReadonlyMap<string, number>,
  scores: ArrayLike<number>,
): (readonly [string, string])[] {
  const found: { score: number; left: number; right: number; pair: readonly [string, string] }[] = [];
  for (const [piece, id] of vocab) {
    if (piece.length < 2 || piece.length > MAX_PIECE_CHARS) continue;
    for (let cut = 1; cut < piece.length; cut++) {
      const pair = [piece.slice(0, cut), piece.slice(cut)] as const;
      const left = vocab.get(pair[0]);
      const right = left === undefined ? undefined : vocab.get(pair[1]);
      if (left === undefined || right === undefined) continue;
      found.push({ score: scores[id] ?? 0, left, right, pair });
    }
  }
  found.sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right);
  return found.map((m) => m.pair);
}
