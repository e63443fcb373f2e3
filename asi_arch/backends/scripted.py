"""A backend without a model: answers from a list or a function, for tests and rehearsals."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from asi_arch.errors import BackendError
from asi_arch.records import Reply, Request, RoleSettings
from asi_arch.testing.scripted_answers import answer

Answers: TypeAlias = Iterable[str] | Callable[[list[dict[str, str]]], str]


class ScriptedBackend:
    """Gives the answers in order, or what the function makes of the messages.

    Without answers it plays the small model of `asi_arch.testing.scripted_answers`.
    """

    def __init__(self, settings: RoleSettings, answers: Answers = answer) -> None:
        self.requests: list[Request] = []
        self._model = settings.model or "scripted"
        self._answer = answers if callable(answers) else _in_order(answers)

    async def complete(self, request: Request) -> Reply:
        """Return the next answer; four characters count as one token.

        Raises:
            BackendError: the list has no more answers.
        """
        self.requests.append(request)
        text = self._answer([message.model_dump() for message in request.messages])
        prompt = sum(len(message.content) for message in request.messages)
        return Reply(
            text=text,
            model=self._model,
            prompt_tokens=prompt // 4,
            completion_tokens=len(text) // 4,
            cost=0.0,
        )


def _in_order(answers: Iterable[str]) -> Callable[[list[dict[str, str]]], str]:
    remaining = iter(answers)

    def next_answer(messages: list[dict[str, str]]) -> str:
        text = next(remaining, None)
        if text is None:
            raise BackendError("the script has no more answers")
        return text

    return next_answer
