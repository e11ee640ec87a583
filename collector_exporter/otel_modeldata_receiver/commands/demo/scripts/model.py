"""The model of app.py: will a flight arrive 15 minutes late or more?"""
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FEATURES = ["departure_delay", "distance", "seats", "temperature", "visibility"]


def train(path):
    """A model trained on the flights of a CSV file, and its AUC on the last fifth of them."""
    flights = pd.read_csv(path)
    flights = flights[flights["arrival_delay"].notna()]  # a flight that was diverted has no label
    features, late = flights[FEATURES].to_numpy(), flights["arrival_delay"] >= 15
    seen = len(flights) * 4 // 5
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    model.fit(features[:seen], late[:seen])
    return model, roc_auc_score(late[seen:], model.predict_proba(features[seen:])[:, 1])
