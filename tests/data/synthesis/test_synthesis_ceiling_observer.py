"""The Bayes observer against brute-force integration, and between smoothing and the true rates."""

import numpy as np
import pytest
from nlb_tools.evaluation import bits_per_spike
from scipy.ndimage import gaussian_filter1d
from sklearn.linear_model import Ridge

from nlb_search.data.datasets import dataset_named
from nlb_search.data.synthesis.ceiling_observer import Templates, predict_rates
from nlb_search.data.synthesis.latents import FloatArray, GaussianProcess
from nlb_search.data.synthesis.neurons import Population, draw_population
from nlb_search.data.synthesis.session import Session, simulate
from nlb_search.data.synthesis.spiking import BINARY, POISSON, Spiking
from nlb_search.data.synthesis.tasks.task_of_layout import TASKS
from nlb_search.data.synthesis.truth import observer_scores, templates_of

N_WINDOW = 120


def integrated(
    spikes: FloatArray, population: Population, process: GaussianProcess, means: FloatArray, n_draws: int
) -> FloatArray:
    """Posterior mean counts by importance sampling: draws of the latents from the prior, weighted by likelihood."""
    rng = np.random.default_rng(0)
    n_bins = means.shape[1]
    covariance = process.basis(n_bins) @ process.basis(n_bins).T
    draws = rng.multivariate_normal(np.zeros(n_bins), covariance, size=(n_draws, process.n_latents), method="eigh")
    latents = draws.transpose(0, 2, 1) + means[rng.integers(len(means), size=n_draws)]
    rates = population.rates(latents)
    seen = rates[:, : spikes.shape[1], : population.n_heldin]
    expected = []
    for trial in spikes:
        missed = np.log1p(-seen) * (1 - trial) if population.spiking is BINARY else -seen
        log_likelihood = (trial * np.log(seen) + missed).sum(axis=(1, 2))
        weights = np.exp(log_likelihood - log_likelihood.max())
        expected.append(np.einsum("i,isn->sn", weights / weights.sum(), rates))
    return np.array(expected)


@pytest.mark.parametrize("spiking", [POISSON, BINARY])
@pytest.mark.parametrize("n_latents", [1, 2])
def test_rates_match_brute_force_integration(n_latents: int, spiking: Spiking) -> None:
    process = GaussianProcess(n_latents, 40.0, 0.5)
    population = draw_population(8, 2, n_latents, 0.9, 40.0, np.random.default_rng(1), spiking)
    means = np.random.default_rng(2).standard_normal((2, 10, n_latents))
    spikes = np.random.default_rng(3).poisson(0.25, size=(4, 7, 8)).clip(max=spiking.most).astype(np.float64)

    predicted = predict_rates(spikes, population, process.basis(10), Templates(means))

    expected = integrated(spikes, population, process, means, n_draws=200_000)
    np.testing.assert_allclose(predicted, expected, rtol=0.05)


def test_posterior_without_observations_is_the_prior() -> None:
    process = GaussianProcess(1, 40.0, 1.0)
    silent = Population(np.array([[0.0], [0.6]]), np.log([1e-9, 0.05]), np.arange(2), n_heldin=1)

    predicted = predict_rates(np.zeros((1, 7, 1)), silent, process.basis(10), Templates(np.zeros((1, 10, 1))))

    np.testing.assert_allclose(predicted[0, :, 1], 0.05 * np.exp(0.6**2 / 2), rtol=1e-3)


@pytest.fixture(scope="module", params=[POISSON, BINARY], ids=["poisson", "binary"])
def session(request: pytest.FixtureRequest) -> Session:
    """Two hundred segments of a random-target session with thirty neurons."""
    task = TASKS["random-target"](dataset_named("mc_rtt"), np.random.default_rng(0))
    recipe = task.recipe
    population = draw_population(
        30, 10, recipe.n_latents, recipe.gain, recipe.median_hz, np.random.default_rng(1), request.param
    )
    return simulate(task, population, ["train"] * 140 + ["val"] * 60, np.random.default_rng(2))


def smoothing_co_bps(session: Session) -> float:
    """The benchmark's first baseline: held-out rates regressed on smoothed held-in spikes."""
    n_heldin = session.population.n_heldin

    def smoothed(split: str) -> FloatArray:
        spikes = session.spikes(split)[:, :N_WINDOW, :n_heldin]
        return gaussian_filter1d(spikes, 10, axis=1).reshape(-1, n_heldin)

    def targets(split: str) -> FloatArray:
        return session.spikes(split)[:, :N_WINDOW, n_heldin:]

    regression = Ridge(alpha=10.0).fit(smoothed("train"), targets("train").reshape(-1, targets("train").shape[2]))
    rates = regression.predict(smoothed("val")).clip(min=1e-3).reshape(targets("val").shape)
    return float(bits_per_spike(rates, targets("val")))


def test_ceiling_is_between_smoothing_and_true_rates(session: Session) -> None:
    scores = observer_scores(session, "val", np.random.default_rng(3))

    assert 0.05 < smoothing_co_bps(session) < scores.co_bps < scores.oracle_co_bps
    assert 0 < scores.fp_bps < scores.co_bps


@pytest.mark.parametrize(
    ("name", "n_heldin", "n_heldout", "n_trials"), [("mc_rtt", 60, 20, 100), ("area2_bump", 49, 16, 98)]
)
def test_ceiling_exceeds_smoothing_by_a_margin(name: str, n_heldin: int, n_heldout: int, n_trials: int) -> None:
    dataset = dataset_named(name)
    task = TASKS[dataset.layout](dataset, np.random.default_rng(0))
    recipe = task.recipe
    population = draw_population(
        n_heldin, n_heldout, recipe.n_latents, recipe.gain, recipe.median_hz, np.random.default_rng(1)
    )
    recorded = simulate(task, population, ["test"] * n_trials, np.random.default_rng(2))

    assert 0.2 < observer_scores(recorded, "test", np.random.default_rng(3)).co_bps < 0.5


def test_rates_are_calibrated(session: Session) -> None:
    spikes = session.spikes("train")
    predicted = predict_rates(
        spikes[:, :N_WINDOW, : session.population.n_heldin],
        session.population,
        session.task.recipe.process.basis(spikes.shape[1]),
        templates_of(session, "train", np.random.default_rng(4)),
    )

    heldout = np.s_[:, :, session.population.n_heldin :]
    order = np.argsort(predicted[heldout], axis=None)
    for part in np.array_split(order, 5):
        expected, observed = predicted[heldout].ravel()[part].sum(), spikes[heldout].ravel()[part].sum()
        assert observed == pytest.approx(expected, rel=0.1)
