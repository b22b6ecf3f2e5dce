"""Small scripts that fail, each in its own way. `record.py` runs them in the project's images and keeps what they write
to stderr in `recorded/`; `test_recorded.py` says what the diagnosis of each must be.

Each script is `consume.py` of a step `Consume`, with the input `DATA` (below) and an output `out`, and no network.
"""

from __future__ import annotations

from dataclasses import dataclass, field

DATA = {
    "train.csv": b"id,labels,amount,city\n1,0,2.5,Bonn\n2,1,abc,Ulm\n3,0,4.5,Bonn\n",
    "latin.csv": "id,city\n1,Köln\n".encode("latin-1"),
    "empty.csv": b"",
    "ragged.csv": b"a,b\n1,2\n1,2,3\n",
    "broken.json": b'{"a": 1,\n "b": }\n',
    "half.parquet": b"PAR1 and no more",
    "packed.csv.gz": b"a,b\n1,2\n",
    "zipped.csv": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "wide.csv": "id,city\n1,Köln\n".encode("utf-16"),
    "model.pkl": b"not a pickle",
    "sub/part.csv": b"id\n1\n",
}
IN = "/opt/ml/processing/input/DATA"
OUT = "/opt/ml/processing/output/out"


@dataclass(frozen=True)
class Script:
    text: str
    image: str = "python"
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)


def read(more: str, file: str = "train.csv") -> str:
    return f"import pandas as pd\ndf = pd.read_csv('{IN}/{file}')\n{more}\n"


def parser(*options: str) -> str:
    lines = "\n".join(f"p.add_argument({option})" for option in options)
    return f"import argparse\np = argparse.ArgumentParser()\n{lines}\nargs = p.parse_args()\n"


def table(text: str) -> Script:
    return Script(read(text), "sklearn")


FIT = "X = pd.DataFrame({'a': [1.0, 2, 3], 'b': [1.0, 0, 1]}); y = [0, 1, 0]\n"
BOOST = "import pandas as pd, xgboost as xgb\n" + FIT

SCRIPTS: dict[str, Script] = {
    # columns
    "column-getitem": table("print(df['label'].mean())"),
    "column-dropna": table("df.dropna(subset=['label', 'id'])"),
    "column-duplicates": table("df.drop_duplicates(subset=['label'])"),
    "column-list": table("print(df[['id', 'label']])"),
    "column-list-none": table("print(df[['label', 'target']])"),
    "column-usecols": Script(
        f"import pandas as pd\npd.read_csv('{IN}/train.csv', usecols=['id', 'label'])\n", "sklearn"
    ),
    "column-parse-dates": Script(
        f"import pandas as pd\npd.read_csv('{IN}/train.csv', parse_dates=['date'])\n", "sklearn"
    ),
    "column-drop": table("X = df.drop(columns=['label'])"),
    "column-attribute": table("print(df.label)"),
    "column-method": table("df.append(df)"),
    "column-loc": table("print(df.loc[:, 'label'])"),
    "column-loc-list": table("print(df.loc[:, ['label', 'id']])"),
    "column-set-index": table("df.set_index('label')"),
    "column-groupby": table("df.groupby('label').sum()"),
    "column-sort": table("df.sort_values('label')"),
    "column-merge": table("df.merge(df, on='label')"),
    "column-pop": table("y = df.pop('label')"),
    "column-apply-row": table("df.apply(lambda row: row['label'], axis=1)"),
    "column-function": table("def load(frame):\n    return frame['label']\n\ndef main():\n    load(df)\n\nmain()"),
    "column-wrapped": table(
        "try:\n    df['label']\nexcept KeyError as error:\n    raise RuntimeError('cannot load the data') from error"
    ),
    "column-wrapped-implicit": table(
        "try:\n    df['label']\nexcept Exception:\n    raise ValueError('cannot load the data')"
    ),
    "column-logged": table(
        "import sys, traceback\ntry:\n    df['label']\nexcept Exception:\n    traceback.print_exc()\n    sys.exit(3)"
    ),
    "column-logging": table(
        "import logging, sys\ntry:\n    df['label']\nexcept Exception:\n"
        "    logging.exception('training failed')\n    print('giving up', file=sys.stderr)\n    sys.exit(1)"
    ),
    "column-lost": table("df = df.rename(columns={'labels': 'y'})\nprint(df['labels'])"),
    "column-dictreader": Script(
        f"import csv\nfor row in csv.DictReader(open('{IN}/train.csv')):\n    print(row['label'])\n"
    ),
    "column-own-words": Script(
        "raise KeyError(\"train.csv has no column 'label'; its columns are ['labels', 'id']\")\n"
    ),
    "column-row": table("print(df.loc[99])"),
    "column-rows": table("print(df.loc[[1, 99]])"),
    "column-rows-dropped": table("df.drop([99])"),
    "column-rows-of-names": table("df.set_index('city').loc[['Bonn', 'Rom']]"),
    "column-drop-axis": table("X = df.drop(['label'], axis=1)"),
    "column-sklearn-names": Script(
        "import pandas as pd\nfrom sklearn.linear_model import LogisticRegression\n"
        + FIT
        + "LogisticRegression().fit(X, y).predict(X.rename(columns={'b': 'c'}))\n",
        "sklearn",
    ),
    "column-sklearn-order": Script(
        "import pandas as pd\nfrom sklearn.linear_model import LogisticRegression\n"
        + FIT
        + "LogisticRegression().fit(X, y).predict(X[['b', 'a']])\n",
        "sklearn",
    ),
    "column-sklearn-count": Script(
        "import pandas as pd\nfrom sklearn.linear_model import LogisticRegression\n"
        + FIT
        + "LogisticRegression().fit(X, y).predict(X[['a']].to_numpy())\n",
        "sklearn",
    ),
    "column-sklearn-transformer": table(
        "from sklearn.compose import ColumnTransformer\n"
        "ColumnTransformer([('n', 'passthrough', ['label'])]).fit_transform(df)"
    ),
    "column-xgboost-names": Script(
        BOOST + "m = xgb.XGBClassifier(n_estimators=1).fit(X, y)\nm.predict(X.rename(columns={'b': 'c'}))\n", "xgboost"
    ),
    "column-xgboost-booster": Script(
        BOOST + "b = xgb.train({}, xgb.DMatrix(X, label=y), 1)\nb.predict(xgb.DMatrix(X[['a']]))\n", "xgboost"
    ),
    "column-arrow-field": table("import pyarrow as pa\nprint(pa.Table.from_pandas(df[['id']]).column('label'))"),
    "column-arrow-parquet": table(
        "import pyarrow.dataset as ds\ndf[['id']].to_parquet('/tmp/x.parquet')\n"
        "ds.dataset('/tmp/x.parquet').to_table(columns=['label'])"
    ),
    "column-numpy-field": Script(
        "import numpy as np\na = np.zeros(2, dtype=[('id', int)])\nprint(a['label'])\n", "sklearn"
    ),
    # keys that are no columns
    "key-environ": Script("import os\nlabel = os.environ['LABEL_FIELD']\n", env={"LABEL_FIELDS": "x"}),
    "key-environ-function": Script(
        "import os\ndef settings():\n    return {'a': os.environ['MODEL_NAME']}\nsettings()\n"
    ),
    "key-dict": Script("config = {'labels': 1}\nprint(config['label'])\n"),
    "key-json": Script("import json\nconfig = json.loads('{\"depth\": 3}')\nprint(config['max_depth'])\n"),
    # files
    "file-near": Script(f"open('{IN}/trian.csv')\n"),
    "file-case": Script(f"open('{IN}/Train.csv')\n"),
    "file-subdirectory": Script(f"open('{IN}/part.csv')\n"),
    "file-pandas": Script("import pandas as pd\n" + f"pd.read_csv('{IN}/training.csv')\n", "sklearn"),
    "file-parquet": Script("import pandas as pd\n" + f"pd.read_parquet('{IN}/train.parquet')\n", "sklearn"),
    "file-numpy": Script("import numpy as np\n" + f"np.load('{IN}/train.npy')\n", "sklearn"),
    "file-no-input": Script("open('/opt/ml/processing/input/data/train.csv')\n"),
    "file-no-input-list": Script("import os\nos.listdir('/opt/ml/processing/input/validation')\n"),
    "file-relative": Script("open('train.csv')\n"),
    "file-host": Script("open('/home/me/project/train.csv')\n"),
    "file-directory": Script(f"open('{IN}')\n"),
    "file-below-file": Script(f"open('{IN}/train.csv/a')\n"),
    "file-output-unwritten": Script(f"open('{OUT}/model.json')\n"),
    "file-output-directory": Script(f"open('{OUT}/reports/a.txt', 'w')\n"),
    "file-to-csv-directory": table(f"df.to_csv('{OUT}/a/b.csv')"),
    "file-xgboost-model": Script(f"import xgboost as xgb\nxgb.Booster().load_model('{IN}/model.json')\n", "xgboost"),
    "file-program": Script("import subprocess\nsubprocess.run(['aws', 's3', 'ls'], check=True)\n"),
    "file-dev-full": Script("f = open('/dev/full', 'w')\nf.write('x' * 100000)\n"),
    # what was read is something else
    "format-empty": Script(f"import pandas as pd\npd.read_csv('{IN}/empty.csv')\n", "sklearn"),
    "format-ragged": Script(f"import pandas as pd\npd.read_csv('{IN}/ragged.csv')\n", "sklearn"),
    "format-latin": Script(f"import pandas as pd\npd.read_csv('{IN}/latin.csv')\n", "sklearn"),
    "format-latin-open": Script(f"open('{IN}/latin.csv').read()\n"),
    "format-gzip": Script(f"open('{IN}/zipped.csv').read()\n"),
    "format-utf16": Script(f"open('{IN}/wide.csv').read()\n"),
    "format-not-gzip": Script(f"import gzip\ngzip.open('{IN}/packed.csv.gz').read()\n"),
    "format-json": Script(f"import json\njson.load(open('{IN}/broken.json'))\n"),
    "format-parquet": Script(f"import pandas as pd\npd.read_parquet('{IN}/half.parquet')\n", "sklearn"),
    "format-pickle": Script(f"import pickle\npickle.load(open('{IN}/model.pkl', 'rb'))\n"),
    "format-joblib": Script(f"import joblib\njoblib.load('{IN}/model.pkl')\n", "sklearn"),
    "format-tar": Script(f"import tarfile\ntarfile.open('{IN}/train.csv')\n"),
    "format-ascii": Script("open('/tmp/x', 'w', encoding='ascii').write('Köln')\n"),
    # types
    "type-float": Script("print(float('abc'))\n"),
    "type-float-numpy": table("print(df['amount'].astype(float))"),
    "type-int": Script("print(int('2.5'))\n"),
    "type-operands": Script("print(1 + 'a')\n"),
    "type-to-numeric": table("pd.to_numeric(df['amount'])"),
    "type-nan-int": table("import numpy as np\npd.Series([1.0, np.nan]).astype(int)"),
    "type-datetime": table("pd.to_datetime(df['city'])"),
    "type-sklearn-string": table(
        "from sklearn.linear_model import LogisticRegression\nLogisticRegression().fit(df[['city']], df['labels'])"
    ),
    "type-sklearn-nan": table(
        "from sklearn.linear_model import LogisticRegression\n"
        "LogisticRegression().fit(pd.DataFrame({'a': [1.0, None, 3]}), df['labels'])"
    ),
    "type-xgboost-object": Script(read("import xgboost as xgb\nxgb.DMatrix(df[['id', 'city']])"), "xgboost"),
    "type-arrow": table("import pyarrow as pa\npa.array(['a', 1])"),
    "type-none": Script("rows = None\nfor row in rows:\n    pass\n"),
    # arguments
    "args-unknown": Script(parser("'--epochs', type=int", "'--label'"), args=("--epoch_count", "3", "--label", "x")),
    "args-unknown-near": Script(parser("'--label-field'"), args=("--label_field", "x")),
    "args-required": Script(parser("'--label', required=True", "'--epochs'"), args=("--epochs", "3")),
    "args-required-two": Script(parser("'--label', required=True", "'--depth', required=True")),
    "args-invalid-int": Script(parser("'--epochs', type=int"), args=("--epochs", "many")),
    "args-choice": Script(
        parser("'--job_type', choices=['training', 'testing']"),
        args=("--job_type", "train"),
    ),
    "args-no-value": Script(parser("'--label'"), args=("--label",)),
    # signatures
    "signature-too-many": Script("def main(args, env):\n    pass\n\nmain({}, {}, {}, None)\n"),
    "signature-missing": Script(
        "def main(input_paths, output_paths, environ_vars, job_args):\n    pass\n\nmain({}, {})\n"
    ),
    "signature-keyword": Script("def main(a):\n    pass\n\nmain(a=1, job_args=2)\n"),
    "signature-library": table("df.to_csv('/tmp/x', line_terminator='x')"),
    "signature-library-class": Script(
        "from sklearn.preprocessing import OneHotEncoder\nOneHotEncoder(sparse=False)\n", "sklearn"
    ),
    # imports
    "import-known": Script("import os\nimport xgboost\n", "sklearn"),
    "import-sub": Script("from sklearn.ensemble import RandomForestClassifier\n"),
    "import-unknown": Script("import nonesuch_library\n"),
    "import-beside": Script("from helpers import clean\n"),
    "import-yaml": Script("import yaml\n"),
    "import-name": Script("from sklearn.externals import joblib\n", "sklearn"),
    "import-name-removed": Script("from sklearn.metrics import plot_confusion_matrix\n", "sklearn"),
    "import-in-handler": Script(
        "try:\n    import ujson\nexcept ImportError:\n    config = {}\n    print(config['x'])\n"
    ),
    "import-optional-raised": Script(
        "try:\n    import xgboost\nexcept ImportError:\n    raise RuntimeError('please install xgboost')\n"
    ),
    # syntax
    "syntax-bracket": Script("import os\nvalues = [1, 2\nprint(values)\n"),
    "syntax-indent": Script("def main():\nprint(1)\n"),
    "syntax-tabs": Script("if True:\n\tx = 1\n        y = 2\n"),
    "syntax-imported": Script(
        "import sys\nopen('/tmp/part.py', 'w').write('def f(:\\n    pass\\n')\n"
        "sys.path.insert(0, '/tmp')\nimport part\n"
    ),
    # permission
    "permission-open": Script(
        "import os\nopen('/tmp/x', 'w').close()\nos.chmod('/tmp/x', 0)\nos.setuid(65534)\nopen('/tmp/x')\n"
    ),
    "permission-write": Script("import os\nos.setuid(65534)\n" + f"open('{OUT}/x', 'w')\n"),
    "permission-proc": Script("open('/proc/sys/kernel/hostname', 'w').write('x')\n"),
    # memory
    "memory-numpy": Script("import numpy as np\nnp.ones((1 << 40,))\n", "sklearn"),
    "memory-python": Script(
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))\nx = bytearray(1 << 30)\n"
    ),
    # network
    "network-name": Script("import urllib.request\nurllib.request.urlopen('https://example.com/x')\n"),
    "network-address": Script("import socket\nsocket.create_connection(('10.1.2.3', 80), timeout=3)\n"),
    "network-refused": Script("import socket\nsocket.create_connection(('127.0.0.1', 1))\n"),
    "network-boto": Script(
        "import boto3\nboto3.client('s3', region_name='eu-west-1', aws_access_key_id='a', aws_secret_access_key='b')"
        ".list_buckets()\n",
        "sklearn",
        env={"AWS_MAX_ATTEMPTS": "1"},
    ),
    "network-credentials": Script(
        "import boto3\nboto3.client('s3', region_name='eu-west-1').list_buckets()\n",
        "sklearn",
        env={"AWS_EC2_METADATA_DISABLED": "true"},
    ),
    "network-pip": Script(
        "import subprocess, sys\n"
        "subprocess.check_call([sys.executable, '-m', 'pip', 'install', '--retries', '0', 'ujson'])\n",
        "python",
    ),
    # others
    "other-name": Script("print(undefined_thing)\n"),
    "other-assert": Script("rows = []\nassert rows\n"),
    "other-assert-words": Script("rows = []\nassert rows, 'there are no rows'\n"),
    "other-exit-words": Script("import sys\nsys.exit('no rows to train on')\n"),
    "other-exit-code": Script("import sys\nsys.exit(7)\n"),
    "other-zero": Script("print(1 / 0)\n"),
    "other-own": Script("class BadData(Exception):\n    pass\n\nraise BadData('label has 3 classes')\n"),
    "other-multiline": Script("raise ValueError('first line\\nsecond line\\n\\nfourth line')\n"),
    "other-group": Script("raise ExceptionGroup('two faults', [ValueError('bad a'), TypeError('bad b')])\n"),
    "other-group-nested": Script(
        "def f():\n    raise ValueError('bad a')\ntry:\n    f()\nexcept ValueError as e:\n"
        "    raise ExceptionGroup('outer', [ExceptionGroup('inner', [e]), KeyError('k')])\n"
    ),
    "other-note": Script("e = ValueError('bad row')\ne.add_note('in file train.csv, row 3')\nraise e\n"),
    "other-recursion": Script("def f():\n    return f()\nf()\n"),
    "other-pool": Script(
        "import multiprocessing as mp\ndef work(n):\n    return 1 / n\nif __name__ == '__main__':\n"
        "    with mp.Pool(2) as pool:\n        pool.map(work, [1, 0])\n"
    ),
    "other-executor": Script(
        "from concurrent.futures import ProcessPoolExecutor\ndef work(n):\n    return {}['key']\n"
        "if __name__ == '__main__':\n    with ProcessPoolExecutor(1) as pool:\n        list(pool.map(work, [1]))\n"
    ),
    "other-joblib": Script(
        "from joblib import Parallel, delayed\ndef work(n):\n    return float('abc')\n"
        "if __name__ == '__main__':\n    Parallel(n_jobs=2)(delayed(work)(n) for n in range(2))\n",
        "sklearn",
    ),
    "other-process": Script(
        "import multiprocessing as mp, sys\ndef work():\n    raise ValueError('in the child')\n"
        "if __name__ == '__main__':\n    p = mp.Process(target=work)\n    p.start()\n    p.join()\n"
        "    sys.exit(p.exitcode)\n"
    ),
    "other-thread": Script(
        "import sys, threading\ndef work():\n    raise ValueError('in the thread')\n"
        "t = threading.Thread(target=work)\nt.start()\nt.join()\nsys.exit(4)\n"
    ),
    "other-ignored": Script(
        "class A:\n    def __del__(self):\n        raise OSError('while dying')\n\n"
        "a = A()\nraise ValueError('the real one')\n"
    ),
    "other-logging-error": Script(
        "import logging\nlogging.warning('%d rows', 'many')\nraise ValueError('the real one')\n"
    ),
    "other-handler": Script("try:\n    open('/none')\nexcept OSError:\n    print(1 / 0)\n"),
    "other-subprocess": Script(
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'raise ValueError(5)'], check=True)\n"
    ),
    "other-faulthandler": Script("import faulthandler, os\nfaulthandler.enable()\nos.abort()\n"),
    "other-warning-first": Script("import warnings\nwarnings.warn('old')\nraise ValueError('bad')\n"),
    "other-main-module": Script("import runpy\nrunpy.run_module('no_such_module', run_name='__main__')\n"),
}
