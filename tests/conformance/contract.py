"""SageMaker's container contract as a table of points: what is reproduced, what differs, what nobody knows.

The section numbers are those of the contract: 1 processing, 2 training, 3 hosting and transform, 4 what SageMaker's
own local mode gets wrong (P0 to P13, T, L, K, D). A reproduced point has at least one case that proves it on a real
engine; a different one stands in the README's table of differences, by the words in `readme`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["reproduced", "different", "unknown"]


@dataclass(frozen=True, slots=True)
class Point:
    name: str
    text: str
    status: Status = "reproduced"
    readme: str = ""
    """Of a point that differs or that no public text settles: words of its row in the README's table."""


CONTRACT = (
    # -- 1. processing: command, success, paths
    Point("1.command.neither", "neither entrypoint nor arguments: the image's ENTRYPOINT and CMD"),
    Point("1.command.entrypoint", "entrypoint only: the image's ENTRYPOINT and CMD are ignored"),
    Point("1.command.arguments", "arguments only: the image's ENTRYPOINT and the arguments"),
    Point("1.command.both", "both: both"),
    Point("1.command.verbatim", "arguments and environment values arrive verbatim: no shell, no $ expansion"),
    Point("1.success", "success is exit 0 of all containers; every other code fails, 130 included"),
    Point("1.path.localpath", "every LocalPath begins with /opt/ml/processing/"),
    Point("1.path.reserved", "/opt/ml is reserved: the image's content there may be hidden"),
    Point("1.path.outputs-empty", "output directories exist, empty, before the entrypoint runs"),
    Point("1.path.inputs-private", "inputs are private copies: the script may write, its producer's data stays"),
    Point("1.path.nested-inputs", "an input may lie inside another one"),
    Point("1.path.symlinks", "symlinks in an output are neither followed nor uploaded"),
    Point("1.path.single-object", "a single-object input shows that object only"),
    Point("1.config.processingjob", "/opt/ml/config/processingjobconfig.json, field by field"),
    Point("1.config.resource", "/opt/ml/config/resourceconfig.json: current_host and hosts"),
    Point("1.host-resolves", "algo-1 resolves, also without a network"),
    Point("1.env.exact", "the environment is the request's map and what the image sets"),
    Point("1.env.no-credentials", "no AWS credentials unless asked for"),
    Point("1.message.exit", "the first 1 KB of /opt/ml/output/message is the ExitMessage: completed, failed"),
    Point("1.message.stopped", "... and stopped"),
    Point("1.message.utf8", "a message that is not UTF-8 fails the job"),
    Point("1.stop.runtime", "MaxRuntimeInSeconds stops the job"),
    Point("1.stop.grace", "SIGTERM, a grace period, SIGKILL"),
    # -- 1. limits of the API
    Point("1.limit.inputs", "at most 10 inputs"),
    Point("1.limit.outputs", "at most 10 outputs"),
    Point("1.limit.words", "entrypoint and arguments: 1 to 100 items of at most 256 characters"),
    Point("1.limit.environment", "at most 100 variables; name [a-zA-Z_][a-zA-Z0-9_]*, name and value at most 256"),
    Point("1.limit.localpath", "LocalPath of at most 256 characters"),
    Point("1.limit.runtime", "MaxRuntimeInSeconds from 1 to 777600"),
    Point("1.limit.instances", "InstanceCount from 1 to 100"),
    Point("1.limit.volume", "volume of 1 to 16384 GB", "different", "volume"),
    Point("1.limit.job-name", "job name [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"),
    Point("1.limit.messages", "FailureReason and ExitMessage of at most 1 KB"),
    # -- 1. what no public text settles
    Point("1.unknown.shm", "size of /dev/shm", "unknown", "/dev/shm"),
    Point("1.unknown.user", "run-as user: the image's USER applies", "unknown", "USER"),
    Point("1.unknown.upload", "whether outputs upload after a failure", "unknown", "after a failed processing"),
    Point("1.unknown.empty", "an empty input prefix fails in practice", "unknown", "empty output"),
    Point("1.unknown.variables", "variables that the platform injects", "unknown", "variables"),
    # -- 1. where the code lies
    Point("1.code.script", "ScriptProcessor: input `code`, entrypoint python3 and the script, cwd the image's WORKDIR"),
    Point("1.code.framework", "FrameworkProcessor: sourcedir.tar.gz, runproc.sh, entrypoint /bin/bash and runproc.sh"),
    Point("1.code.requirements", "... requirements.txt is installed before the script runs"),
    Point("1.code.cwd", "... the code directory is the working directory, and sibling modules import"),
    # -- 2. training
    Point("2.command.train", "docker run IMAGE train"),
    Point("2.command.explicit", "explicit entrypoint and arguments as in processing"),
    Point("2.path.config", "/opt/ml/input/config with three files"),
    Point("2.path.channels", "channels at /opt/ml/input/data/<channel>"),
    Point("2.path.code", "/opt/ml/code"),
    Point("2.path.checkpoints", "/opt/ml/checkpoints, kept both ways, not archived"),
    Point("2.path.model", "/opt/ml/model becomes model.tar.gz"),
    Point("2.path.output-data", "/opt/ml/output/data becomes output.tar.gz, its content at the archive's root"),
    Point("2.failure", "the first 1024 characters of /opt/ml/output/failure become FailureReason"),
    Point(
        "2.export-after-failure", "artifacts are exported after a failure too", "different", "exported after a failed"
    ),
    Point("2.file.hyperparameters", "hyperparameters.json: string to string"),
    Point("2.file.inputdataconfig", "inputdataconfig.json: per channel content type, mode, distribution, wrapper"),
    Point("2.file.resourceconfig", "resourceconfig.json: hosts, network interface, instance groups"),
    Point("2.env.job", "TRAINING_JOB_NAME, TRAINING_JOB_ARN and the request's map"),
    Point("2.limit.environment", "at most 100 variables of 512 and 512 characters"),
    Point("2.script.cwd", "code in /opt/ml/code, cwd there"),
    Point("2.script.requirements", "requirements.txt is installed"),
    Point("2.script.arguments", "hyperparameters not named sagemaker_* as sorted --key value"),
    Point("2.script.one-letter", "one-letter keys as -k value"),
    Point("2.script.dicts", "dicts as a=1,b=2"),
    Point("2.script.variables", "every SM_* variable"),
    Point("2.script.module", "a package runs with -m"),
    Point("2.script.toolkit", "equal to the real sagemaker-training, field by field"),
    Point("2.script.hosts", "the toolkit waits until every host resolves"),
    Point("2.limit.channels", "1 to 20 channels, name [A-Za-z0-9.\\-_]+ of at most 64"),
    Point("2.limit.hyperparameters", "at most 100 hyperparameters, value of at most 2500"),
    Point("2.consumer.unopened", "the consumer gets one unopened model.tar.gz (likewise output.tar.gz)"),
    Point("2.consumer.transform", "Transform unpacks it into /opt/ml/model"),
    # -- 3. hosting and batch transform
    Point("3.serve", "docker run IMAGE serve, port 8080"),
    Point("3.ping", "GET /ping answers 200: 2 s each, 4 minutes to become healthy"),
    Point("3.invocations", "POST /invocations, 60 s"),
    Point("3.stop", "SIGTERM, SIGKILL after 30 s"),
    Point("3.environment", "SAGEMAKER_BATCH, _MAX_PAYLOAD_IN_MB, _BATCH_STRATEGY, _MAX_CONCURRENT_TRANSFORMS"),
    Point("3.strategy.single", "SingleRecord: one record a request"),
    Point("3.strategy.multi", "MultiRecord: as many records as the payload holds"),
    Point("3.payload", "a record above the maximum payload fails the job"),
    Point("3.assemble", "answers are assembled into one .out file for each input file"),
    # -- 4. where today's local mode is silently wrong
    Point("P0", "env pa$sword, argument $HOME: verbatim"),
    Point("P1", "arguments without entrypoint: the image's ENTRYPOINT and the arguments"),
    Point("P2", "single-file input: that object only"),
    Point("P3", "a script overwrites its input: a private copy"),
    Point("P4", "a symlink in an output is not uploaded"),
    Point("P5", "a second run with other file names: fresh output"),
    Point("P6", "inputs at .../input and .../input/code: separate"),
    Point("P7", "MaxRuntime 1 s, sleep 3: stopped"),
    Point("P8", "exit 130: Failed"),
    Point("P9", "exit 3 with /opt/ml/output/message: ExitMessage"),
    Point("P10", "output LocalPath /somewhere: rejected"),
    Point("P11", "2 instances, one needs longer: all must exit 0, and none is killed early"),
    Point("P12", "a producer leaves its output empty: fails"),
    Point("P13", "message not UTF-8: Failed"),
    Point("T", "training archives: output.tar.gz holds the content of /opt/ml/output/data"),
    Point("L", "a fast process: the whole log"),
    Point("K", "SIGTERM to the caller: no container keeps running"),
    Point("D", "after many jobs: nothing is left"),
)

POINTS = {point.name: point for point in CONTRACT}
