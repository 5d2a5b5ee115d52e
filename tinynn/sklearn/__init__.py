"""Networks as estimators of scikit-learn: for its pipelines, searches, cross-validation and calibration.

    from tinynn.sklearn import NetworkClassifier

    model = make_pipeline(StandardScaler(), NetworkClassifier(hidden=(64, 32), dropout=0.2, random_state=0))
    model.fit(X, y).score(X_test, y_test)
    GridSearchCV(model, {"networkclassifier__lr": [1e-3, 1e-2]}).fit(X, y)

They train with tinynn's own `fit`. X may be an array, a list of rows or a DataFrame; labels may be text. Needs
scikit-learn 1.6 or newer (`pip install "tinynn[sklearn]"`), which `import tinynn` does not load.

A search in several processes, n_jobs=2, is faster only where fits take many seconds: each process first imports
scikit-learn, tinynn and numba. This takes some seconds, and a search over a small table in one process takes less.
"""

from typing import TYPE_CHECKING

try:
    from sklearn.utils.validation import validate_data  # noqa: F401 (of 1.6, the oldest version that will do)
except ImportError as error:
    raise ImportError("tinynn.sklearn needs scikit-learn 1.6 or newer: pip install -U scikit-learn") from error

from .. import elsewhere
from .classifier import NetworkClassifier
from .regressor import NetworkRegressor

__all__ = ["NetworkClassifier", "NetworkRegressor"]

if not TYPE_CHECKING:  # else any name would be one
    __getattr__ = elsewhere.asked(__name__)
