"""Answers with the JSON that the question holds."""

import asyncio

from asi_arch.records import Reply, Request, RoleSettings


class EchoingBackend:
    """Answers with the JSON that the question holds."""

    def __init__(self, settings: RoleSettings) -> None:
        self.model = settings.model or "echo"

    async def complete(self, request: Request) -> Reply:
        question = request.messages[-1].content
        await asyncio.sleep(0)
        text = question[question.find("{") : question.rfind("}") + 1]
        return Reply(text=text, model=self.model, prompt_tokens=len(question) // 4)
