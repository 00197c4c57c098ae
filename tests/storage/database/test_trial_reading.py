import math

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from nlb_search.storage.database.opening import open_database
from nlb_search.storage.database.urls import StorageUrl


def test_trials_are_those_that_optuna_reads(url: StorageUrl) -> None:
    study = optuna.create_study(study_name="study", storage=open_database(url), direction="maximize")
    space = {
        "lr": FloatDistribution(1e-4, 1e-1, log=True),
        "hidden": IntDistribution(8, 64),
        "variant": CategoricalDistribution(["dot", "line", None]),
    }
    params = {"variant": None, "hidden": 33, "lr": 0.1 / 3}
    curve = {1: 0.1, 2: math.inf, 3: -math.inf, 0: 1 / 3}
    for values in ({"value": math.inf}, {"value": -1 / 3}):
        facts = {"user_attrs": {"a": [1, {"b": None}]}, "system_attrs": {"c": "é"}}
        study.add_trial(create_trial(params=params, distributions=space, intermediate_values=curve, **facts, **values))
    study.add_trial(create_trial(state=TrialState.PRUNED, params=params, distributions=space))
    study.ask(space).report(math.nan, 5)
    study.enqueue_trial({"lr": 0.01})
    ours = study.get_trials()
    optunas = optuna.load_study(study_name="study", storage=url.for_optuna).get_trials()
    assert [str(vars(trial)) for trial in ours] == [str(vars(trial)) for trial in optunas], "NaN differs from itself"
    assert [list(trial.params) for trial in ours[:2]] == [list(params)] * 2
