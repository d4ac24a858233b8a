"""Huffman tree: a binary code for words, with short paths for frequent ones.

Lecture 4, AdaGram. The leaves of the tree are the V words and its V - 1 inner nodes are decisions,
left or right. Merging the two rarest subtrees until one is left gives the tree with the least mean
path length, which is less than one above the entropy of the counts in bits (Huffman 1952).

A probability for each decision makes a distribution over words, because the two turns of a node
share one. To evaluate a word costs as many factors as its path has nodes, about log2 V, and not V:

    p(v) = prod_{c in Path(v)} sigma(d_cv s_c),    d_cv = +1 or -1,    sigma(s) + sigma(-s) = 1.
"""

import heapq
from typing import NamedTuple

import numpy as np

from latent import checks
from latent.shapes import Int


class Huffman(NamedTuple):
    """The paths from the root to the words, in rows of the length L of the longest path.

    Attributes
    ----------
    nodes : array (V, L)
        Path(v): inner nodes from the root (0) down, each in 0..V-2; 0 where the path has ended.
    turns : array (V, L)
        d_cv: +1 or -1 for each node of the path; 0 where the path has ended.
    """

    nodes: Int[np.ndarray, "V L"]
    turns: Int[np.ndarray, "V L"]


def huffman(counts: Int[np.ndarray, " V"]) -> Huffman:
    """Build the tree of some counts.

    Parameters
    ----------
    counts : array (V,)
        How often each word occurs, at least once. Of equal counts the earlier one is merged first.

    Returns
    -------
    Huffman
        `nodes` and `turns`. A single word has the empty path, L = 0.

    Raises
    ------
    ValueError
        If `counts` are not integers of at least one.

    Notes
    -----
    Lecture 4, hierarchical softmax; Huffman (1952).
    """
    counts = checks.integers("counts", counts, "V", low=1)
    V = len(counts)
    subtrees = [(int(count), v) for v, count in enumerate(counts)]
    heapq.heapify(subtrees)
    # Trees 0..V-1 are the words, V..2V-2 the inner nodes in the order of their making.
    parent, turn = np.zeros(2 * V - 1, int), np.zeros(2 * V - 1, int)
    for made in range(V, 2 * V - 1):
        count, rarest = heapq.heappop(subtrees)
        other_count, other = heapq.heappop(subtrees)
        parent[[rarest, other]] = made
        turn[[rarest, other]] = 1, -1
        heapq.heappush(subtrees, (count + other_count, made))
    root = 2 * V - 2
    depth = np.zeros(2 * V - 1, int)
    for tree in range(root - 1, -1, -1):  # a parent is made after its children
        depth[tree] = depth[parent[tree]] + 1
    nodes = np.zeros((V, depth[:V].max()), int)
    turns = np.zeros_like(nodes)
    for v in range(V):
        tree = v
        for place in range(depth[v] - 1, -1, -1):
            turns[v, place] = turn[tree]
            tree = parent[tree]
            nodes[v, place] = root - tree
    return Huffman(nodes, turns)
