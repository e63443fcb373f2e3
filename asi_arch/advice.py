"""What an Analyst adds to an experiment: lessons, an opinion, origins. Nothing depends on it.

When the language model has no answer, the experiment goes on without.
"""

from asi_arch.errors import BackendError
from asi_arch.lab import Lab
from asi_arch.records import Experiment


async def draw_lessons(lab: Lab, experiment: Experiment) -> None:
    """Let the Analyst say what all results so far teach, when it is time; earlier lessons stay."""
    due, analyst = lab.memory.lessons_due(experiment.number), lab.config.analyst
    if not due or not analyst.analyse:
        return
    async with lab.distilling:
        if lab.store.lessons(lab.campaign.id, due):
            return
        lessons = tuple(lab.store.lessons(lab.campaign.id, due - analyst.lessons_every))
        try:
            async with lab.thinking(experiment, "distill"):
                lessons = await lab.team.analyst.distill(lab.memory.finished(due), lessons)
        except BackendError as error:
            lab.store.log_event(lab.campaign.id, experiment.id, "distill", f"no lessons: {error}")
        lab.store.save_lessons(lab.campaign.id, due, lessons)


async def judge(lab: Lab, experiment: Experiment) -> None:
    """Keep the Analyst's opinion of a candidate; without one the training counts all the same."""
    wanted = lab.config.analyst.judge and experiment.kind == "candidate"
    if not wanted or experiment.judgement is not None:
        return
    try:
        async with lab.thinking(experiment, "judge"):
            judgement = await lab.team.analyst.judge(experiment)
    except BackendError as error:
        lab.store.log_event(lab.campaign.id, experiment.id, "judge", f"no opinion: {error}")
        return
    if judgement is not None:
        lab.store.save_judgement(experiment.id, judgement)


async def trace(lab: Lab, experiment: Experiment) -> None:
    """Keep where the Analyst thinks that each component comes from."""
    if not lab.config.analyst.trace:
        return
    context = lab.memory.context(experiment)
    try:
        async with lab.thinking(experiment, "trace"):
            traces = await lab.team.analyst.trace(experiment, context)
    except BackendError as error:
        lab.store.log_event(lab.campaign.id, experiment.id, "trace", f"no origins: {error}")
        return
    lab.store.save_traces(experiment.id, traces)
