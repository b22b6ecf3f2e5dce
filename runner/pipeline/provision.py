"""Images that a plan needs, made ready before it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from runner.engine import images
from runner.engine.base import Engine
from runner.errors import ImageUnavailable
from runner.pipeline.fitting import Present, missing_image, present_image
from runner.pipeline.plan import Plan


def provide_images(engine: Engine, plan: Plan, tell: Callable[[str], None]) -> Present:
    """Build or pull what is missing on the engine; `tell` hears of the progress. For an image of SageMaker's that is
    not there the one that stands for it is enough. Returns those that were there already, for `fit`.

    Raises ImageUnavailable, which says where the plan names the image.
    """
    found: Present = {}
    for reference, serve in dict.fromkeys((step.job.image, step.job.serves) for step in plan.steps):
        with contextlib.suppress(ImageUnavailable):
            found[reference, serve] = present_image(engine, reference, serve=serve)
            continue
        try:
            images.ensure(images.stands_for(reference, serve=serve), tell)
        except ImageUnavailable as error:
            raise missing_image(plan, reference, error, serve=serve) from error
    return found
