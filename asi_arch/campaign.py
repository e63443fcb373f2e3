"""One search: baselines, experiments, confirmation with fresh seeds, final, conclusion."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asi_arch.baselines import baseline_program
from asi_arch.confirmation import confirm, finals, verdict
from asi_arch.errors import AsiArchError, BudgetSpent, UserError
from asi_arch.experiment import (
    measured_fitness,
    run_baseline,
    run_experiment,
    sample,
)
from asi_arch.fingerprint import fingerprint
from asi_arch.jobs.sandbox import describe
from asi_arch.jobs.spec import prepare_job
from asi_arch.knowledge import load_entries
from asi_arch.lab import Lab
from asi_arch.records import Conclusion, Dataset, Experiment, Program, Status
from asi_arch.standings import standings


class Campaign:
    """Runs a campaign from wherever it stands in the database; running it again goes on."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._noted = time.monotonic()

    async def run(self) -> Conclusion | None:
        """Return the conclusion, None if a budget stopped the campaign before its end.

        Raises:
            UserError: the data cannot be read.
            AsiArchError: a baseline cannot be run.
        """
        async with self._sitting():
            await self._prepare()
            stop = await self._explore()
            if stop is not None:
                self._stop(stop)
                return None
            await confirm(self.lab)
            self._note_time()
            await finals(self.lab)
            return self._conclude()

    async def _prepare(self) -> None:
        """Put the data, the knowledge and the baselines in place."""
        lab = self.lab
        self._tell(describe(await lab.runner.start()))
        result = await lab.runner.run(prepare_job(lab.config, lab.data_folder))
        if result.value is None:
            raise UserError(result.error.message if result.error else "the data are missing")
        dataset = Dataset.model_validate(result.value)
        lab.store.save_dataset(lab.campaign.id, dataset)
        lab.watcher.on_message(_describe(dataset))
        lab.store.save_knowledge(load_entries())
        for number, name in enumerate(lab.config.baselines, start=1):
            self._add_baseline(number, name, baseline_program(name))

    def _tell(self, protections: str) -> None:
        """Say first of all what keeps generated code from this machine, and what does not."""
        self.lab.watcher.on_message(protections)
        self.lab.store.log_event(self.lab.campaign.id, None, "sandbox", protections)

    def _add_baseline(self, number: int, name: str, program: Program) -> None:
        store = self.lab.store
        baseline = store.start_experiment(self.lab.campaign.id, number, "baseline", name=name)
        if baseline.status is Status.SAMPLED:
            store.save_program(baseline.id, program, 0, fingerprint(program.source))

    async def _explore(self) -> str | None:
        """Run baselines and experiments side by side; return the budget that ended it, if any."""
        try:
            async with asyncio.TaskGroup() as group:
                baselines = self.lab.store.experiments(self.lab.campaign.id, kind="baseline")
                trained = [group.create_task(run_baseline(self.lab, b)) for b in baselines]
                group.create_task(self._rank_baselines(trained))
                stop = await self._run_experiments(group)
        except* AsiArchError as errors:
            raise errors.exceptions[0] from errors
        return stop

    async def _rank_baselines(self, tasks: list[asyncio.Task[Experiment]]) -> None:
        """Give the baselines their fitness, which needs all of them."""
        lab, trained = self.lab, await asyncio.gather(*tasks)
        before = [baseline.id for baseline in trained if baseline.status is Status.COMPLETE]
        for baseline in trained:
            if baseline.status in (Status.REJECTED, Status.FAILED):
                self._do_without(baseline)
        for baseline in trained:
            if not baseline.status.is_finished:
                lab.finish(baseline, Status.COMPLETE, fitness=measured_fitness(lab, baseline))
        self._tell_new_reference(before)
        lab.baselines_done.set()

    def _do_without(self, baseline: Experiment) -> None:
        """Go on without a baseline where no candidate will be measured by it, else raise."""
        sentence = f"the baseline {baseline.name} cannot be run: {baseline.reason}"
        if self.lab.config.budget.experiments and self.lab.campaign.conclusion is None:
            raise AsiArchError(sentence)
        self.lab.watcher.on_message(sentence)

    def _tell_new_reference(self, before: list[int]) -> None:
        """Say so when a baseline that was added later is the strongest."""
        lab = self.lab
        reference = standings(lab.store, lab.campaign.id, "explore").reference_id
        if before and reference is not None and reference not in before:
            lab.watcher.on_message(
                f"{lab.store.experiment(reference).name} is the strongest baseline now; the "
                "fitness of experiments that ended before is still over the one before"
            )

    async def _run_experiments(self, group: asyncio.TaskGroup) -> str | None:
        """Start experiments in order, each as soon as its place in flight is free."""
        width, tasks = self.lab.config.in_flight, list[asyncio.Task[str | None]]()
        ended = self._ended()
        for number in range(1, self.lab.config.budget.experiments + 1):
            if number > width:
                await tasks[number - width - 1]
                await self.lab.baselines_done.wait()
            stop = (None if number in ended else self._out_of_time()) or _first_stop(tasks)
            if stop is not None:
                await asyncio.gather(*tasks)
                return stop
            tasks.append(group.create_task(self._run_one(number)))
        await asyncio.gather(*tasks)
        return _first_stop(tasks)

    def _ended(self) -> set[int]:
        """Return the numbers of the candidates that need no more time."""
        candidates = self.lab.store.experiments(self.lab.campaign.id, kind="candidate")
        return {candidate.number for candidate in candidates if candidate.status.is_finished}

    async def _run_one(self, number: int) -> str | None:
        """Run one experiment; return the budget that stopped it, if one did."""
        try:
            await run_experiment(self.lab, self._sample(number))
        except BudgetSpent as spent:
            return str(spent)
        self._note_time()
        return None

    def _sample(self, number: int) -> Experiment:
        """Draw parent and references for an experiment, and open it."""
        parent, references = sample(self.lab, number)
        return self.lab.store.start_experiment(
            self.lab.campaign.id, number, "candidate", parent_id=parent, reference_ids=references
        )

    def _conclude(self) -> Conclusion:
        lab = self.lab
        conclusion = verdict(lab.store, lab.campaign.id)
        lab.store.save_conclusion(lab.campaign.id, conclusion)
        lab.store.set_campaign_status(lab.campaign.id, "complete")
        lab.watcher.on_message(conclusion.sentence)
        return conclusion

    def _stop(self, reason: str) -> None:
        """Leave the campaign as one that a budget stopped and that can go on with a larger one."""
        self.lab.store.set_campaign_status(self.lab.campaign.id, "stopped", reason)
        self.lab.watcher.on_message(f"stopped: {reason}")

    def _out_of_time(self) -> str | None:
        minutes = self.lab.config.budget.minutes
        spent = self.lab.store.campaign(self.lab.campaign.id).seconds + self._unnoted_seconds()
        if minutes is None or spent < minutes * 60:
            return None
        return f"{spent / 60:.1f} of {minutes:g} minutes are spent"

    @asynccontextmanager
    async def _sitting(self) -> AsyncIterator[None]:
        """Mark the campaign as running, end its jobs and count the time however it ends."""
        store, id = self.lab.store, self.lab.campaign.id
        store.set_campaign_status(id, "running")
        store.end_lost_calls(id)
        try:
            yield
        except (asyncio.CancelledError, AsiArchError) as error:
            store.set_campaign_status(id, "stopped", str(error) or "interrupted")
            raise
        finally:
            await self.lab.runner.close()
            self._note_time()

    def _note_time(self) -> None:
        """Add the time since the last note to the campaign's wall time."""
        self.lab.store.add_seconds(self.lab.campaign.id, self._unnoted_seconds())
        self._noted = time.monotonic()

    def _unnoted_seconds(self) -> float:
        return time.monotonic() - self._noted


def _describe(dataset: Dataset) -> str:
    marks = ", ".join(f"{name} {loss:.3f}" for name, loss in dataset.references.items())
    documents = dataset.train_documents + dataset.heldout_documents
    told = (
        f"data {dataset.name}: {documents:,} documents, {dataset.train_tokens:,} tokens "
        f"({dataset.tokenizer}) to train on, {dataset.heldout_tokens:,} held out"
    )
    return f"{told}; marks to pass (nats per token): {marks}" if marks else told


def _first_stop(tasks: list["asyncio.Task[str | None]"]) -> str | None:
    """Return why one of the finished tasks had to stop, None if none had to."""
    results = (task.result() for task in tasks if task.done())
    return next((result for result in results if result is not None), None)
