"""Images that a plan needs, made ready before it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from runner.engine import images
from runner.engine.base import Engine
from runner.errors import ImageUnavailable
from runner.pipeline.fitting import place_of_image, present_image
from runner.pipeline.plan import Plan


def provide_images(
    engine: Engine, references: Sequence[str], tell: Callable[[str], None], plan: Plan | None = None
) -> None:
    """Build or pull what is missing on the engine; `tell` hears of the progress. For an image of SageMaker's that is
    not there the one that stands for it is enough.

    Raises ImageUnavailable, which says where the `plan` names the image.
    """
    for reference in dict.fromkeys(references):
        with contextlib.suppress(ImageUnavailable):
            present_image(engine, reference)
            continue
        try:
            images.ensure(images.stands_for(reference), tell)
        except ImageUnavailable as error:
            place = place_of_image(plan, reference) if plan is not None else ""
            raise ImageUnavailable(place + error.message, remedy=error.remedy) from error
