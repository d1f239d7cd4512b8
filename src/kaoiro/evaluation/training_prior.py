"""How frequent each expression was in what a head learned from."""

from kaoiro.corpus.ferplus import seen_as_faces
from kaoiro.corpus.store import Corpus
from kaoiro.expressions import Expression
from kaoiro.recognition.metadata import Head
from kaoiro.training.heads import HeadConfig, head_targets


def training_prior(corpus: Corpus, head: Head) -> tuple[float, ...] | None:
    """Work out the frequency of each class among a corpus's training faces: labels, or shares of the raters' votes.

    The faces are those that training takes where nothing else is asked for: not those that most raters took for no
    face. Votes count as `kaoiro.corpus.ferplus.vote_distribution` reads them, each face with its weight in the loss. A
    training run that drew some classes more often, or weighted them, learned from other frequencies than these.

    Args:
        corpus: the whole corpus; its split `train` is taken.
        head: whose classes, and whether it learned labels or votes.

    Returns:
        A frequency for each of the head's classes, which sum to 1; None where the corpus has no training faces or says
        nothing of them that the head learns.
    """
    if "train" not in corpus.splits():
        return None
    part = corpus.select("train")
    config = HeadConfig(target=head.target, contempt=Expression.CONTEMPT in head.classes)
    assert head.classes == config.classes, f"no training gives a head the classes {head.classes}"
    targets = head_targets(part, config, part=True)
    weights = targets.distribution.double() * targets.weight[:, None]
    votes = part.votes()
    if votes is not None:
        weights = weights[seen_as_faces(votes)]
    sums = weights.sum(dim=0)
    return tuple((sums / sums.sum()).tolist()) if sums.any() else None
