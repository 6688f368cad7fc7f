"""Networks go wherever scikit-learn takes estimators."""
from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import chainrule as cr
from chainrule.errors import ArgumentError, DivergenceError
from chainrule.sklearn import Classifier, Regressor


@pytest.mark.filterwarnings("ignore")  # the checks feed odd data on purpose, and skip with a warning
@parametrize_with_checks([Classifier(epochs=20), Regressor(epochs=20)])
def test_every_check_of_scikit_learn_passes(estimator, check):
    check(estimator)


def test_the_same_random_state_gives_the_same_network_and_leaves_the_common_stream_alone():
    data = cr.data.digits()
    x, y = data.inputs[:200], data.targets[:200]
    before = cr.random.get_state()
    first, second, other = (Classifier(epochs=2, random_state=seed).fit(x, y).predict_proba(x) for seed in (1, 1, 2))
    assert cr.random.get_state() == before
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_a_module_or_a_function_that_makes_one_is_trained_and_what_was_given_stays_as_it_was():
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    y = np.where(x[:, 0] + x[:, 1] > 0, "yes", "no")
    given = cr.nn.Sequential(cr.nn.Linear(3, 8), cr.nn.Dropout(0.1), cr.nn.Tanh(), cr.nn.Linear(8, 2))
    weights = given.state_dict()["0.weight"].copy()
    fitted = Classifier(given, epochs=60, random_state=0).fit(x, y)
    assert set(fitted.predict(x)) == {"yes", "no"} and fitted.score(x, y) > 0.9
    assert np.array_equal(given.state_dict()["0.weight"], weights)
    built = Regressor(lambda inputs, outputs: cr.nn.Linear(inputs, outputs), epochs=200, optimizer="sgd", lr=0.1, random_state=0)
    assert built.fit(x, x @ [1.0, 2.0, 3.0] + 1).score(x, x @ [1.0, 2.0, 3.0] + 1) > 0.999
    assert built.fit(x, x[:, :2]).predict(x).shape == (60, 2)


def test_grids_pipelines_clones_and_pickles():
    x = np.random.default_rng(0).normal(3.0, 5.0, size=(80, 2))
    y = (x[:, 0] > x[:, 1]).astype(int)
    search = GridSearchCV(make_pipeline(StandardScaler(), Classifier(epochs=30, random_state=0)),
                          {"classifier__lr": [1e-5, 0.02]}, cv=2).fit(x, y)
    assert search.best_params_ == {"classifier__lr": 0.02} and search.best_score_ > 0.85
    again = pickle.loads(pickle.dumps(search))
    assert np.array_equal(again.predict_proba(x), search.predict_proba(x))
    assert clone(Classifier(cr.nn.Linear(2, 2), epochs=3)).fit(x, y).n_iter_ == 3
    assert cross_val_score(Regressor(epochs=5), x, x[:, 0], cv=2).shape == (2,)


@pytest.mark.parametrize("wrong, told", [({"module": 3}, "module is a module"), ({"optimizer": "best"}, "sgd, adam, adamw")])
def test_what_is_no_network_or_optimizer_is_refused(wrong, told):
    with pytest.raises(ArgumentError, match=told):
        Classifier(**wrong).fit(np.eye(4), [0, 1, 0, 1])


def test_a_rate_that_is_too_large_is_told():
    with pytest.raises(DivergenceError, match="too large"):
        Regressor(epochs=100, optimizer="sgd", lr=1e6).fit(np.eye(4), [0.0, 1.0, 2.0, 3.0])
