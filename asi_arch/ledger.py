"""The ledger of a campaign: every question is paid once, and none beyond the budget."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from asi_arch.backends.prices import Price, find_price
from asi_arch.config import Budget
from asi_arch.errors import BudgetSpent
from asi_arch.records import Reply, Request
from asi_arch.store import Store


@dataclass(frozen=True)
class CampaignLedger:
    """Keeps questions and replies in the database.

    A question that is on its way counts with the most that it may use, so that calls side by side
    do not overspend together.
    """

    store: Store
    campaign_id: int
    budget: Budget
    prices: Mapping[str, Price] = field(default_factory=dict)
    tell: Callable[[str], None] = lambda text: None
    _unpriced: set[str] = field(default_factory=set)

    def find_reply(self, request: Request) -> Reply | None:
        """Return the stored reply to the same question, if there is one."""
        return self.store.find_reply(request)

    def open_call(self, request: Request) -> None:
        """Note that a question is about to be asked.

        Raises:
            BudgetSpent: with it more tokens or money might be spent than the campaign may.
        """
        asked, answered = request.estimated_tokens, request.settings.max_tokens
        most = Reply(text="", prompt_tokens=asked, completion_tokens=answered)
        cost = self._cost(request, most)
        self._refuse_overspending(asked + answered, cost or 0.0)
        self.store.open_call(request, asked + answered, cost)

    def save_reply(self, request: Request, reply: Reply) -> None:
        """Store a reply with what it cost; one of unknown price is said once."""
        cost = self._cost(request, reply)
        if cost is None:
            self._say_unpriced(reply.model or request.settings.model)
        self.store.save_reply(request, reply.model_copy(update={"cost": cost}))

    def save_failure(self, request: Request, error: str, faults: Sequence[str]) -> None:
        """Store why a question has no answer."""
        self.store.save_failure(request, error, faults)

    def _cost(self, request: Request, reply: Reply) -> float | None:
        """Return US dollars: what the reply says, else by the role's price, else by the table's."""
        if reply.cost is not None:
            return reply.cost
        price = self._price(request, reply)
        if price is None:
            return None
        return price.cost(reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens)

    def _price(self, request: Request, reply: Reply) -> Price | None:
        asked = request.settings
        if asked.input_price is not None and asked.output_price is not None:
            own = {"input": asked.input_price, "cached": asked.cached_price}
            return Price.model_validate({**own, "output": asked.output_price})
        return find_price(self.prices, reply.model) or find_price(self.prices, asked.model)

    def _say_unpriced(self, model: str) -> None:
        """Say of a model, the first time, that only its tokens are counted."""
        if model in self._unpriced:
            return
        self._unpriced.add(model)
        said = f"{model} has no known price: its tokens are counted, its money is not"
        self.store.log_event(self.campaign_id, None, "price", said)
        self.tell(said)

    def _refuse_overspending(self, tokens: int, cost: float) -> None:
        spent, budget = self.store.total_spend(self.campaign_id), self.budget
        if budget.tokens is not None and spent.tokens + tokens > budget.tokens:
            raise BudgetSpent(
                f"{spent.tokens} of {budget.tokens} tokens are spent or on their way, and the "
                f"next call may need {tokens}"
            )
        if budget.money is not None and spent.cost + cost > budget.money:
            raise BudgetSpent(
                f"{spent.cost:.2f} of {budget.money:.2f} US dollars are spent or on their way, "
                f"and the next call may need {cost:.4f}"
            )
