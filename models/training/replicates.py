"""Networks with the same settings and different seeds, trained as one and compared by their mean scores."""

from collections.abc import Sequence
from statistics import fmean

from nlb_search.models.training.training import Best, Evaluation, State, Training


class Replicates:
    """Trainings that differ only in their seeds, and have done the same number of epochs.

    They have one score, the mean of theirs. It decides which evaluation is the best, whose networks all of them keep,
    and when all of them are done.
    """

    def __init__(self, trainings: Sequence[Training]) -> None:
        self.trainings = tuple(trainings)

    @property
    def epoch(self) -> int:
        """Number of epochs done."""
        return self.trainings[0].epoch

    @property
    def is_done(self) -> bool:
        """Whether the plan's epochs are done, or the mean score is not expected to improve."""
        return self.trainings[0].is_done

    @property
    def best(self) -> tuple[Best, ...]:
        """The network of each at the best evaluation, with the mean scores there; empty before the first one."""
        return tuple(training.best for training in self.trainings if training.best is not None)

    def evaluated(self, results: Sequence[Evaluation | Exception]) -> Evaluation | Exception:
        """The mean of the evaluations of all, whose networks are kept if it is the best so far.

        If trainings failed, the result is the first of their errors, and nothing is kept.
        """
        done = [result for result in results if isinstance(result, Evaluation)]
        if len(done) < len(results):
            return next(result for result in results if isinstance(result, Exception))
        mean = _mean(done)
        for training in self.trainings:
            training.keep_if_best(mean)
        return mean

    def state(self) -> State:
        """The state for ``restore``, on the CPU."""
        states = [training.state() for training in self.trainings]
        tensors = {
            _prefix(index) + name: tensor
            for index, state in enumerate(states)
            for name, tensor in state.tensors.items()
        }
        return State(tensors, states[0].metadata)

    def restore(self, state: State) -> None:
        """Resume from the ``state`` of as many trainings with the same settings.

        Raises KeyError or RuntimeError if the state is incomplete.
        """
        for index, training in enumerate(self.trainings):
            prefix = _prefix(index)
            own = {
                name.removeprefix(prefix): tensor for name, tensor in state.tensors.items() if name.startswith(prefix)
            }
            training.restore(State(own, state.metadata))


def _prefix(index: int) -> str:
    """Prefix of the names of a training's tensors. The first has none, like a state that was saved before 0.6.0."""
    return f"replicate-{index}." if index else ""


def _mean(results: Sequence[Evaluation]) -> Evaluation:
    forward = [result.fp_bps for result in results if result.fp_bps is not None]
    return Evaluation(
        epoch=results[0].epoch,
        loss=fmean(result.loss for result in results),
        co_bps=fmean(result.co_bps for result in results),
        fp_bps=fmean(forward) if forward else None,
    )
