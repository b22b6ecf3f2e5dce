import yaml
from sklearn.preprocessing import StandardScaler


def name():
    return yaml.safe_load("a: [1, 2]"), StandardScaler.__name__
